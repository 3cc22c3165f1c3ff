import CCurl

/// How far a conversation with an SMTP server came, in its order.
enum SMTPStage: Int, Sendable, Comparable {
    case connect
    case hello
    case startTLS
    case login
    case sender
    case recipient
    case data
    /// The mail's bytes are on their way; from here on the server may have it.
    case content

    static func < (left: SMTPStage, right: SMTPStage) -> Bool { left.rawValue < right.rawValue }
}

/// What became of one try to send a mail. The texts are for people and hold no secrets.
enum SMTPOutcome: Sendable, Equatable {
    /// The server has the mail, and said so.
    case sent
    /// The server will never take this mail.
    case refused(String)
    /// The server did not take this mail now.
    case postponed(String)
    /// The server can't be talked to, whatever the mail.
    case serverFault(String)
    /// The server won't talk to us as we are set up, whatever the mail: login, certificate, sender.
    case misconfigured(String)

    /// In a word why the mail was not sent, for traces; `nil` when it was.
    var failure: String? {
        switch self {
        case .sent: nil
        case .refused: "refused"
        case .postponed: "postponed"
        case .serverFault: "server fault"
        case .misconfigured: "misconfigured"
        }
    }
}

/// What is known when a conversation has ended.
struct SMTPEnd: Sendable, Equatable {
    var code: CURLcode
    var stage: SMTPStage
    /// The last reply's code; 0 where there was none since the last command.
    var reply: Int
    /// The last reply's text and what libcurl says, cleaned and short.
    var text: String

    /// The one place where an end gets a meaning.
    var outcome: SMTPOutcome {
        if code == CURLE_OK { return .sent }
        // The server is about to hang up, whatever it was asked (RFC 5321, 3.8).
        if reply == 421 { return .serverFault(text) }
        switch code {
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_USE_SSL_FAILED:
            return reply / 100 == 4 ? .serverFault(text) : .misconfigured(text)
        default: break
        }
        switch (reply / 100, stage) {
        case (5, .connect), (5, .hello), (5, .startTLS), (5, .login), (5, .sender): return .misconfigured(text)
        // "Authentication required", said late.
        case (5, _) where reply == 530: return .misconfigured(text)
        case (5, _): return .refused(text)
        case (4, .sender), (4, .recipient), (4, .data), (4, .content): return .postponed(text)
        case (_, .content): return .postponed(text)
        default: return code == CURLE_LOGIN_DENIED && reply / 100 != 4 ? .misconfigured(text) : .serverFault(text)
        }
    }
}
