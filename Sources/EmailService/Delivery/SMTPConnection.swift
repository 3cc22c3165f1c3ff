import CCurl
import Glibc
import NIOCore
import RPC
import Storage

/// One easy handle of libcurl, on one pool thread; it keeps its connection to the server from mail to mail.
///
/// To make one touches no network: a mail server that is down does not make the service unready.
/// Source: https://curl.se/libcurl/c/curl_easy_setopt.html
final class SMTPConnection: PooledConnection {
    /// An idle connection is used again up to this age; servers hang up on idle ones sooner or later.
    private static let idleSecondsMax = 20
    /// Characters of what is told about a failure.
    private static let textLengthMax = 300

    private static let isStarted = shippy_curl_start() == CURLE_OK

    private let handle: UnsafeMutableRawPointer
    private let settings: SMTPSettings
    /// libcurl writes what went wrong into it; allocated here as it must outlive each call.
    private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

    /// - Throws: `StorageError` when libcurl can't do what is asked for.
    init(_ settings: SMTPSettings) throws(StorageError) {
        guard Self.isStarted, let handle = curl_easy_init() else {
            throw StorageError(.other, "libcurl did not start")
        }
        self.handle = handle
        self.settings = settings
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        // From here on `deinit` frees both.
        try configure()
        SMTPExchange.install(on: handle)
    }

    deinit {
        // A farewell could wait two minutes for a server that hangs, so there is none: the server sees the end.
        let socket = shippy_curl_active_socket(handle)
        if socket >= 0 { shutdown(socket, Int32(SHUT_RDWR)) }
        curl_easy_cleanup(handle)
        errorText.deallocate()
    }

    /// Sends a mail and waits for the server's word. Blocks, at most for the settings' timeout.
    ///
    /// - Parameters:
    ///   - contentEnd: the mail is not handed over later than this.
    ///   - isAbandoned: asked about once a second; true ends the conversation.
    func send(
        _ message: MailMessage, contentEnd: NIODeadline, isAbandoned: @escaping @Sendable () -> Bool
    ) -> SMTPOutcome {
        let end = NIODeadline.now() + TimeAmount(settings.timeout)
        let (first, isReused) = perform(message, contentEnd: contentEnd, end: end, isAbandoned)
        // The server may have hung up on a connection that was kept: that says nothing, and it has nothing of the mail.
        guard isReused, case .serverFault = first.outcome, first.stage < .content, NIODeadline.now() < end else {
            return first.outcome
        }
        return perform(message, contentEnd: contentEnd, end: end, isAbandoned).end.outcome
    }

    private func perform(
        _ message: MailMessage, contentEnd: NIODeadline, end: NIODeadline, _ isAbandoned: @escaping () -> Bool
    ) -> (end: SMTPEnd, isReused: Bool) {
        let exchange = SMTPExchange(message.bytes, contentEnd: contentEnd, isAbandoned: isAbandoned)
        let milliseconds = max(1, Int((end - .now()).nanoseconds / 1_000_000))
        let recipients = curl_slist_append(nil, message.recipient.text)
        defer { curl_slist_free_all(recipients) }
        errorText[0] = 0
        let code = exchange.attach(to: handle) {
            let steps = [
                shippy_curl_set_long(handle, CURLOPT_TIMEOUT_MS, milliseconds),
                shippy_curl_set_text(handle, CURLOPT_MAIL_FROM, message.sender.text),
                shippy_curl_set_pointer(handle, CURLOPT_MAIL_RCPT, recipients),
                shippy_curl_set_offset(handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(message.bytes.count)),
            ]
            return steps.first { $0 != CURLE_OK } ?? curl_easy_perform(handle)
        }
        // The list is freed now, and must not be found by a later call.
        _ = shippy_curl_set_pointer(handle, CURLOPT_MAIL_RCPT, nil)
        let isReused = shippy_curl_get_long(handle, CURLINFO_NUM_CONNECTS) == 0
        let outcome = SMTPEnd(
            code: code, stage: exchange.stage, reply: exchange.replyCode,
            text: text(code, exchange, recipient: message.recipient.text))
        return (outcome, isReused)
    }

    private func text(_ code: CURLcode, _ exchange: SMTPExchange, recipient: String) -> String {
        guard code != CURLE_OK else { return "" }
        if exchange.isLate { return "the time for this try was over before the mail was handed over" }
        let stage =
            switch exchange.stage {
            case .connect: "connecting"
            case .hello: "greeting"
            case .startTLS: "starting TLS"
            case .login: "logging in"
            case .sender: "naming the sender"
            case .recipient: "naming the recipient"
            case .data, .content: "handing over the mail"
            }
        let said: String
        if exchange.replyCode >= 400 {
            // A reply to a login may repeat what was sent.
            said =
                exchange.stage == .login
                ? "the server answered \(exchange.replyCode)" : "the server answered \(exchange.replyText)"
        } else {
            let own = String(cString: errorText)
            said = own.isEmpty ? String(cString: curl_easy_strerror(code)) : own
        }
        return cleaned("\(stage): \(said)", recipient: recipient)
    }

    /// One line, short, and without recipient and login even if a server repeats them: many may read a log.
    private func cleaned(_ text: String, recipient: String) -> String {
        var text = text
        text.replaceAll(recipient, with: "…")
        if let login = settings.address.login {
            for secret in [login.password, Base64.encode(Array(login.password.utf8), isPadded: true)] {
                text.replaceAll(secret, with: "…")
            }
        }
        let scalars = text.unicodeScalars.map { String($0).hasControls ? " " : $0 }
        let line = String(String.UnicodeScalarView(scalars.prefix(Self.textLengthMax)))
        return line.split(separator: " ").joined(separator: " ")
    }
}

extension SMTPConnection {
    /// What does not change from mail to mail.
    private func configure() throws(StorageError) {
        let address = settings.address
        let connectTimeout = min(SMTPSettings.connectTimeoutMax, settings.timeout)
        var numbers: [(CURLoption, Int)] = [
            // No signals in a program with threads; and no waiting for a name server that does not answer.
            (CURLOPT_NOSIGNAL, 1), (CURLOPT_QUICK_EXIT, 1),
            (CURLOPT_CONNECTTIMEOUT_MS, Int(connectTimeout.components.seconds) * 1_000),
            // Also bounds the farewell when a connection is closed.
            (CURLOPT_SERVER_RESPONSE_TIMEOUT, Int(settings.timeout.components.seconds)),
            (CURLOPT_MAXCONNECTS, 1), (CURLOPT_MAXAGE_CONN, Self.idleSecondsMax), (CURLOPT_TCP_NODELAY, 1),
            (CURLOPT_SSL_VERIFYPEER, 1), (CURLOPT_SSL_VERIFYHOST, 2),
            (CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2)),
            // The callbacks that hear of replies, and that can end a conversation.
            (CURLOPT_VERBOSE, 1), (CURLOPT_NOPROGRESS, 0), (CURLOPT_UPLOAD, 1),
        ]
        numbers.append((CURLOPT_USE_SSL, Self.level(address.security)))
        var texts = [
            (CURLOPT_URL, address.url), (CURLOPT_PROTOCOLS_STR, "smtp,smtps"),
            // A proxy in the environment is for others.
            (CURLOPT_PROXY, ""),
        ]
        if let login = address.login {
            texts += [(CURLOPT_USERNAME, login.user), (CURLOPT_PASSWORD, login.password)]
        }
        if let authorities = settings.authorities { texts.append((CURLOPT_CAINFO, authorities)) }
        var codes = numbers.map { shippy_curl_set_long(handle, $0.0, $0.1) }
        codes += texts.map { shippy_curl_set_text(handle, $0.0, $0.1) }
        codes.append(shippy_curl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText))
        guard let failure = codes.first(where: { $0 != CURLE_OK }) else { return }
        throw StorageError(.unusable, "libcurl can't send mails: \(String(cString: curl_easy_strerror(failure)))")
    }

    private static func level(_ security: SMTPAddress.Security) -> Int {
        let level =
            switch security {
            case .implicit, .required: CURLUSESSL_ALL
            case .offered: CURLUSESSL_TRY
            case .never: CURLUSESSL_NONE
            }
        return Int(level.rawValue)
    }
}

extension String {
    /// Whatever its case, as servers may write an address in theirs. Without Foundation, as this is all that would be
    /// wanted of it.
    fileprivate mutating func replaceAll(_ secret: String, with replacement: String) {
        guard !secret.isEmpty else { return }
        let wanted = secret.map { $0.lowercased() }
        let characters = Array(self)
        let lowered = characters.map { $0.lowercased() }
        var result = ""
        var start = 0
        while let range = lowered[start...].firstRange(of: wanted) {
            result.append(contentsOf: characters[start..<range.lowerBound])
            result += replacement
            start = range.upperBound
        }
        result.append(contentsOf: characters[start...])
        self = result
    }
}
