import CCurl
import NIOCore

/// One mail's conversation with a server: what libcurl's callbacks ask for and tell.
///
/// Lives on one pool thread for one call of `curl_easy_perform`. It keeps replies and never what was sent, which at
/// login is a password.
final class SMTPExchange {
    /// Octets of a reply that are kept; a line has at most 512 (RFC 5321, 4.5.3.1.5). Cut shorter, a piece of what must
    /// not be told could be left at its end, and not be known for it.
    private static let replyLengthMax = 1_024

    private let message: [UInt8]
    private var offset = 0
    private let contentEnd: NIODeadline
    private let isAbandoned: () -> Bool
    private(set) var stage = SMTPStage.connect
    /// The last reply's code; 0 before the first.
    private(set) var replyCode = 0
    private(set) var replyText = ""
    /// Whether libcurl has begun to take leave, after which replies say nothing any more.
    private var isLeaving = false
    /// Whether the content was not handed over because its time was over.
    private(set) var isLate = false

    /// - Parameters:
    ///   - contentEnd: the mail's bytes are not handed over later than this.
    ///   - isAbandoned: asked about once a second; true ends the conversation.
    init(_ message: [UInt8], contentEnd: NIODeadline, isAbandoned: @escaping () -> Bool) {
        self.message = message
        self.contentEnd = contentEnd
        self.isAbandoned = isAbandoned
    }

    /// The next bytes of the mail; `nil` when it must not be sent any more.
    fileprivate func read(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        if stage != .content {
            guard NIODeadline.now() < contentEnd, !isAbandoned() else {
                isLate = true
                return nil
            }
            stage = .content
            forgetReply()
        }
        let part = message[offset...].prefix(buffer.count)
        buffer.copyBytes(from: part)
        offset += part.count
        return part.count
    }

    /// A line that was sent. Only its verb is looked at; the lines of a login have none.
    fileprivate func sent(_ line: UnsafeRawBufferPointer) {
        let verbs: [(String, SMTPStage)] = [
            ("EHLO ", .hello), ("HELO ", .hello), ("STARTTLS\r\n", .startTLS), ("AUTH ", .login),
            ("MAIL ", .sender), ("RCPT ", .recipient), ("DATA\r\n", .data),
        ]
        if line.starts(with: "QUIT\r\n".utf8) { isLeaving = true }
        guard let stage = verbs.first(where: { line.starts(with: $0.0.utf8) })?.1 else { return }
        self.stage = stage
        forgetReply()
    }

    /// A line that came: `250-text` or `250 text`.
    fileprivate func received(_ line: UnsafeRawBufferPointer) {
        let digits = line.prefix(3)
        guard !isLeaving, digits.count == 3, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return }
        replyCode = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        replyText = String(decoding: line.prefix(Self.replyLengthMax), as: UTF8.self)
    }

    private func forgetReply() {
        replyCode = 0
        replyText = ""
    }

    fileprivate var mustEnd: Bool { isAbandoned() }
}

extension SMTPExchange {
    /// Lends this exchange to the callbacks of `handle` while `body` runs.
    func attach<Result>(to handle: UnsafeMutableRawPointer, _ body: () -> Result) -> Result {
        // Not retained: `withExtendedLifetime` keeps it until the callbacks can't be called any more, as libcurl calls
        // them within `curl_easy_perform` only, and they are given back right after it.
        let context = Unmanaged.passUnretained(self).toOpaque()
        for option in [CURLOPT_READDATA, CURLOPT_DEBUGDATA, CURLOPT_XFERINFODATA] {
            _ = shippy_curl_set_pointer(handle, option, context)
        }
        let result = withExtendedLifetime(self, body)
        for option in [CURLOPT_READDATA, CURLOPT_DEBUGDATA, CURLOPT_XFERINFODATA] {
            _ = shippy_curl_set_pointer(handle, option, nil)
        }
        return result
    }

    fileprivate static func from(_ context: UnsafeMutableRawPointer?) -> SMTPExchange? {
        context.map { Unmanaged<SMTPExchange>.fromOpaque($0).takeUnretainedValue() }
    }

    /// CURL_READFUNC_ABORT: ends the conversation.
    fileprivate static let abort = 0x1000_0000

    /// Sets the callbacks of a handle, once.
    static func install(on handle: UnsafeMutableRawPointer) {
        _ = shippy_curl_set_read(handle) { buffer, size, count, context in
            guard let buffer, let exchange = SMTPExchange.from(context) else { return SMTPExchange.abort }
            return exchange.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: size * count))
                ?? SMTPExchange.abort
        }
        // The body of an answer, which SMTP has none of; libcurl would write it to standard output.
        _ = shippy_curl_set_write(handle) { _, size, count, _ in size * count }
        _ = shippy_curl_set_debug(handle) { _, kind, data, size, context in
            guard let data, let exchange = SMTPExchange.from(context) else { return 0 }
            let line = UnsafeRawBufferPointer(start: data, count: size)
            if kind == CURLINFO_HEADER_OUT { exchange.sent(line) }
            if kind == CURLINFO_HEADER_IN { exchange.received(line) }
            return 0
        }
        _ = shippy_curl_set_progress(handle) { context, _, _, _, _ in
            SMTPExchange.from(context)?.mustEnd == true ? 1 : 0
        }
    }
}
