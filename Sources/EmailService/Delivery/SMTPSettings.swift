import Glibc
import Runtime

/// How mails leave.
struct SMTPSettings: Sendable {
    /// How long one mail may take from connecting to the server's last word. A server that checks a mail before it says
    /// yes may take its time, and to hang up on it makes a twin likelier.
    static let timeoutDefault: Duration = .seconds(60)
    static let timeoutRange: ClosedRange<Duration> = .seconds(1)...(.seconds(600))
    /// Looking the name up included: a resolver asks again after 5 s when one packet was lost, for each name it tries.
    static let connectTimeoutMax: Duration = .seconds(20)
    static let senderDefault = "Shippy <no-reply@shippy.local>"

    var address: SMTPAddress
    /// `SMTP_TIMEOUT`.
    var timeout: Duration = timeoutDefault
    /// `SMTP_CA`: a file with the CA certificates (PEM) that verify the server, in place of the system's.
    var authorities: String?
}

extension SMTPSettings {
    /// Checks `SMTP_URL`, `SMTP_TIMEOUT` and `SMTP_CA`.
    ///
    /// - Returns: `nil` without `SMTP_URL`.
    /// - Throws: what can't be used, in one line without secrets.
    init?(url: String?, timeout: Duration, authorities: String?) throws(ConfigurationError) {
        guard Self.timeoutRange.contains(timeout) else {
            throw ConfigurationError("SMTP_TIMEOUT: must be 1 to 600 seconds")
        }
        if let authorities, access(authorities, R_OK) != 0 {
            throw ConfigurationError("SMTP_CA: '\(authorities)' can't be read: \(String(cString: strerror(errno)))")
        }
        guard let url else { return nil }
        self.init(address: try SMTPAddress(url), timeout: timeout, authorities: authorities)
    }

    /// The From address of outgoing mail: `MAIL_FROM`, as `Name <address>` or `address`.
    ///
    /// - Throws: in one line, what can't be used.
    static func mailbox(_ text: String) throws(ConfigurationError) -> Mailbox {
        // The domain also stands in Message-IDs, where nothing but ASCII may.
        guard let sender = Mailbox(text), sender.address.text.utf8.allSatisfy({ $0 < 0x80 }) else {
            throw ConfigurationError("MAIL_FROM: '\(text)' is not a sender, such as \(senderDefault)")
        }
        return sender
    }
}
