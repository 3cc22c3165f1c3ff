import Idempotency
import RPC

/// A whole mail as it goes over the wire: headers, a text part and an HTML part (RFC 5322, RFC 2046).
///
/// The same mail gives the same bytes, at every try and in every process, so that a server can drop a twin.
struct MailMessage: Sendable {
    /// Longer event ids, and those with other characters than a Message-ID may hold, are hashed.
    private static let plainIDLengthMax = 64

    let sender: MailAddress
    let recipient: MailAddress
    let bytes: [UInt8]

    /// - Parameters:
    ///   - eventID: what the mail is for; any text.
    ///   - subject: any text.
    ///   - date: when the mail was ordered.
    init(
        eventID: String, from sender: Mailbox, to recipient: Mailbox, subject: String, content: WelcomeMail,
        date: WallTime
    ) {
        self.sender = sender.address
        self.recipient = recipient.address
        // A line of quoted-printable text can't hold `=_`, so no content can end a part.
        let boundary = "=_shippy_" + Hexadecimal.text(Array(SHA256.digest(eventID.utf8).prefix(16)))
        let headers = [
            "Date: \(date.mailDate)",
            "From: \(HeaderText.mailbox(sender))",
            "To: \(HeaderText.mailbox(recipient))",
            "Message-ID: <\(Self.messageID(eventID))@\(sender.address.domain)>",
            "Subject: \(HeaderText.unstructured(subject))",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
            "Content-Type: multipart/alternative;\r\n boundary=\"\(boundary)\"",
        ]
        var text = headers.joined(separator: "\r\n") + "\r\n\r\n"
        for (kind, part) in [("plain", content.text), ("html", content.html)] {
            text += "--\(boundary)\r\n"
            text += "Content-Type: text/\(kind); charset=utf-8\r\n"
            text += "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
            text += QuotedPrintable.encode(part) + "\r\n"
        }
        text += "--\(boundary)--\r\n"
        bytes = Array(text.utf8)
    }

    /// The part before the `@`.
    static func messageID(_ eventID: String) -> String {
        let isPlain = eventID.utf8.allSatisfy { $0.isAlphanumericASCII || "-_".utf8.contains($0) }
        if isPlain, (1...plainIDLengthMax).contains(eventID.utf8.count) { return eventID }
        // Longer than any plain one, so that the two can't meet.
        return "sha256-" + Hexadecimal.text(SHA256.digest(eventID.utf8))
    }
}
