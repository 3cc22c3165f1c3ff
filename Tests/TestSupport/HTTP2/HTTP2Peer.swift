import Foundation

/// An HTTP/2 client that sends given frames and keeps the answers by stream. It blocks, so use it only inside
/// ``onThread(_:)``.
public final class HTTP2Peer {
    /// What has arrived on one stream.
    public struct Answer {
        /// Statuses below 200.
        public var interim: [String] = []
        public var status = ""
        public var headers: [(String, String)] = []
        public var body: [UInt8] = []
        public var hasEnded = false
        /// The code of RST_STREAM.
        public var reset: UInt32?

        public var text: String { String(decoding: body, as: UTF8.self) }

        public subscript(name: String) -> String? { headers.first { $0.0 == name }?.1 }
    }

    public let socket: RawPeer
    private var reader = FrameReader()
    private let fields = FieldReader()
    public private(set) var answers: [UInt32: Answer] = [:]
    /// Last stream and code of each GOAWAY.
    public private(set) var goAways: [(last: UInt32, code: UInt32)] = []
    public private(set) var hasEnded = false
    /// Whether the server's PINGs are answered when they arrive.
    public var answersPings = true
    private var heldPings: [Frame] = []

    /// Connects to 127.0.0.1 and sends the preface and SETTINGS.
    public init(port: Int, receiveBytes: Int32? = nil, settings: Frame = .settings()) throws {
        socket = try RawPeer(port: port, receiveBytes: receiveBytes)
        socket.send(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + settings.bytes)
    }

    @discardableResult
    public func send(_ frames: Frame...) -> Bool {
        socket.send(frames.flatMap(\.bytes))
    }

    /// Answers the PINGs that were held back.
    public func answerPings() {
        for ping in heldPings { send(Frame(.ping, Frame.acknowledgement, stream: 0, ping.payload)) }
        heldPings = []
    }

    /// The complete answer on a stream, or its reset; `nil` when the connection ends before, or after `patience`
    /// seconds.
    public func answer(_ stream: UInt32, patience: Double = 10) -> Answer? {
        _ = wait(patience: patience) {
            let answer = $0.answers[stream]
            return answer?.hasEnded == true || answer?.reset != nil
        }
        guard let answer = answers[stream], answer.hasEnded || answer.reset != nil else { return nil }
        return answer
    }

    /// Reads until the condition holds; false when the connection ends before, or after `patience` seconds.
    public func wait(patience: Double = 10, until isSo: (HTTP2Peer) -> Bool) -> Bool {
        let deadline = Date().addingTimeInterval(patience)
        while !isSo(self) {
            if let frame = reader.next() {
                take(frame)
                continue
            }
            let left = deadline.timeIntervalSinceNow
            guard !hasEnded, left > 0, let bytes = socket.receive(patience: left) else { return false }
            if bytes.isEmpty { hasEnded = true }
            reader.append(bytes)
        }
        return true
    }

    /// Reads until the server closes the connection.
    public func waitForEnd(patience: Double = 10) -> Bool {
        wait(patience: patience) { $0.hasEnded }
    }

    private func take(_ frame: Frame) {
        switch Frame.Kind(rawValue: frame.kind) {
        case .settings where frame.flags & Frame.acknowledgement == 0:
            send(Frame(.settings, Frame.acknowledgement))
        case .ping where frame.flags & Frame.acknowledgement == 0:
            heldPings.append(frame)
            if answersPings { answerPings() }
        case .goAway:
            goAways.append((Self.number(frame.payload.prefix(4)), Self.number(frame.payload.dropFirst(4).prefix(4))))
        case .reset:
            answers[frame.stream, default: Answer()].reset = Self.number(frame.payload.prefix(4))
        case .data:
            answers[frame.stream, default: Answer()].body += frame.payload
            recordEnd(frame)
        case .headers:
            // These servers' header sections fit into one frame.
            let section = fields.fields(frame.payload)
            let status = section.first { $0.0 == ":status" }?.1 ?? ""
            if status.utf8.count == 3, status.utf8.first == UInt8(ascii: "1") {
                answers[frame.stream, default: Answer()].interim.append(status)
            } else {
                if !status.isEmpty { answers[frame.stream, default: Answer()].status = status }
                answers[frame.stream, default: Answer()].headers += section
            }
            recordEnd(frame)
        default: break
        }
    }

    private func recordEnd(_ frame: Frame) {
        if frame.flags & Frame.endStream != 0 { answers[frame.stream, default: Answer()].hasEnded = true }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.reduce(0) { $0 << 8 | UInt32($1) }
    }
}
