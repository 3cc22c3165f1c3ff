import NIOCore

/// HTTP/2 frames as bytes, for peers that a test plays itself (RFC 9113 section 6).
public struct Frame: Equatable, Sendable {
    public enum Kind: UInt8, Sendable, CaseIterable {
        case data = 0
        case headers, priority, reset, settings, pushPromise, ping, goAway, windowUpdate, continuation
    }

    public static let endStream: UInt8 = 0x1
    public static let acknowledgement: UInt8 = 0x1
    public static let endHeaders: UInt8 = 0x4
    public static let padded: UInt8 = 0x8

    /// The client's preface with empty SETTINGS.
    public static let hello = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + Frame.settings().bytes

    public var kind: UInt8
    public var flags: UInt8
    public var stream: UInt32
    public var payload: [UInt8]

    public init(_ kind: Kind, _ flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) {
        self.init(kind: kind.rawValue, flags: flags, stream: stream, payload: payload)
    }

    public init(kind: UInt8, flags: UInt8, stream: UInt32, payload: [UInt8]) {
        self.kind = kind
        self.flags = flags
        self.stream = stream
        self.payload = payload
    }

    public var bytes: [UInt8] { bytes(length: payload.count) }

    /// The same frame with other flags.
    public func with(flags: UInt8) -> Frame {
        Frame(kind: kind, flags: flags, stream: stream, payload: payload)
    }

    /// With a length that need not be the payload's.
    public func bytes(length: Int) -> [UInt8] {
        [
            UInt8(truncatingIfNeeded: length >> 16), UInt8(truncatingIfNeeded: length >> 8),
            UInt8(truncatingIfNeeded: length),
        ]
            + [kind, flags] + Self.big(stream) + payload
    }

    public static func big(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
    }

    public static func settings(_ entries: [(id: UInt16, value: UInt32)] = []) -> Frame {
        Frame(.settings, payload(of: entries))
    }

    private init(_ kind: Kind, _ payload: [UInt8]) {
        self.init(kind, 0, stream: 0, payload)
    }

    private static func payload(of entries: [(id: UInt16, value: UInt32)]) -> [UInt8] {
        entries.flatMap { [UInt8(truncatingIfNeeded: $0.id >> 8), UInt8(truncatingIfNeeded: $0.id)] + big($0.value) }
    }

    public static func reset(_ stream: UInt32, code: UInt32) -> Frame { Frame(.reset, 0, stream: stream, big(code)) }

    public static func windowUpdate(_ stream: UInt32, _ increment: UInt32) -> Frame {
        Frame(.windowUpdate, 0, stream: stream, big(increment))
    }

    public static func goAway(last: UInt32, code: UInt32 = 0) -> Frame {
        Frame(.goAway, 0, stream: 0, big(last) + big(code))
    }

    // MARK: Header fields, as HPACK literals without indexing or Huffman code (RFC 7541 section 6.2.2)

    public static func block(_ fields: [(String, String)]) -> [UInt8] {
        fields.flatMap { [0] + string($0.0) + string($0.1) }
    }

    private static func string(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        if bytes.count < 127 { return [UInt8(bytes.count)] + bytes }
        var prefix: [UInt8] = [127]
        var rest = bytes.count - 127
        while rest >= 128 {
            prefix.append(UInt8(rest & 127 | 128))
            rest >>= 7
        }
        return prefix + [UInt8(rest)] + bytes
    }

    public static func requestFields(_ path: String) -> [(String, String)] {
        [
            (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "test"), ("te", "trailers"),
            ("content-type", "application/grpc"),
        ]
    }

    /// A plain HTTP request; with `endStream` it has no body.
    public static func http(
        _ method: String, _ path: String, stream: UInt32, authority: String = "test", _ more: [(String, String)] = [],
        endStream: Bool
    ) -> Frame {
        let fields = [(":method", method), (":scheme", "http"), (":path", path), (":authority", authority)]
        return Frame(
            .headers, endHeaders | (endStream ? Self.endStream : 0), stream: stream, block(fields + more))
    }

    public static func request(
        _ stream: UInt32, _ path: String, _ more: [(String, String)] = [], endStream: Bool = false
    ) -> Frame {
        Frame(
            .headers, endHeaders | (endStream ? Self.endStream : 0), stream: stream, block(requestFields(path) + more))
    }

    /// A request whose header section decodes to about 590 MB: one field of 4,000 bytes, put into the dynamic table, and
    /// 147,000 references to it of a byte each, as many as a HEADERS and eight CONTINUATION frames hold.
    public static func headerBomb(_ stream: UInt32, _ fields: [(String, String)]) -> [Frame] {
        let frameBytes = 16_384
        // With incremental indexing, so that the field is number 62 from then on (RFC 7541 sections 2.3.3 and 6.2.1).
        let field = [0x40] + string("x") + string(String(repeating: "a", count: 4_000))
        let start = block(fields) + field
        let reference: UInt8 = 0x80 | 62
        var frames = [
            Frame(
                .headers, endStream, stream: stream,
                start + [UInt8](repeating: reference, count: frameBytes - start.count))
        ]
        for number in 1...8 {
            frames.append(
                Frame(
                    .continuation, number == 8 ? endHeaders : 0, stream: stream,
                    [UInt8](repeating: reference, count: frameBytes)))
        }
        return frames
    }

    /// One gRPC message in one DATA frame that ends the stream.
    public static func message(_ stream: UInt32, _ body: [UInt8], endStream: Bool = true) -> Frame {
        Frame(.data, endStream ? Self.endStream : 0, stream: stream, [0] + big(UInt32(body.count)) + body)
    }

    /// A good answer: headers, an empty message, trailers.
    public static func emptyAnswer(_ stream: UInt32) -> [UInt8] {
        Frame(.headers, endHeaders, stream: stream, block([(":status", "200"), ("content-type", "application/grpc")]))
            .bytes + message(stream, [], endStream: false).bytes
            + Frame(.headers, endHeaders | endStream, stream: stream, block([("grpc-status", "0")])).bytes
    }
}

/// Takes frames out of what a peer sent.
public struct FrameReader: Sendable {
    private var bytes: [UInt8] = []

    public init() {}

    /// The client's preface, if there is one.
    public mutating func skipPreface() {
        if bytes.starts(with: Array("PRI * HTTP/2.0".utf8)) { bytes.removeFirst(min(24, bytes.count)) }
    }

    public mutating func append(_ more: [UInt8]) { bytes += more }

    public mutating func next() -> Frame? {
        guard bytes.count >= 9 else { return nil }
        let length = Int(bytes[0]) << 16 | Int(bytes[1]) << 8 | Int(bytes[2])
        guard bytes.count >= 9 + length else { return nil }
        let stream = bytes[5...8].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7fff_ffff
        let frame = Frame(kind: bytes[3], flags: bytes[4], stream: stream, payload: Array(bytes[9..<9 + length]))
        bytes.removeFirst(9 + length)
        return frame
    }
}

// Swift 6.3.1 gives a closure inside #expect and one outside it in the same function the same symbol, so that one of
// them runs for both. What tests wait for in expectations is therefore asked for without closures.
extension RawPeer {
    /// Reads frames until `isWanted` holds for one, which is answered; `nil` at the end or when it takes too long.
    public func frame(
        _ reader: inout FrameReader, patience: Double = 10, where isWanted: (Frame) -> Bool
    ) -> Frame? {
        let deadline = NIODeadline.now() + .nanoseconds(Int64(patience * 1e9))
        while true {
            while let frame = reader.next() {
                if isWanted(frame) { return frame }
            }
            // All in all: a peer that goes on talking of other things is late, too.
            let left = Double((deadline - .now()).nanoseconds) / 1e9
            guard left > 0, let bytes = receive(patience: left), !bytes.isEmpty else { return nil }
            reader.append(bytes)
            reader.skipPreface()
        }
    }

    /// Reads until a frame of `kind` comes: on `stream`, and with all of `flags`, if they are given.
    public func next(
        _ kind: Frame.Kind, _ reader: inout FrameReader, on stream: UInt32? = nil, flags: UInt8 = 0,
        patience: Double = 10
    ) -> Frame? {
        frame(&reader, patience: patience) {
            $0.kind == kind.rawValue && $0.flags & flags == flags && (stream == nil || $0.stream == stream)
        }
    }

    /// As a server: takes the client's preface, sends SETTINGS, answers the first request's stream.
    public func acceptRequest(_ reader: inout FrameReader, settings: Frame = .settings()) throws -> UInt32 {
        send(settings.bytes)
        return try nextRequest(&reader)
    }

    /// The stream of the next request whose message is complete.
    public func nextRequest(_ reader: inout FrameReader) throws -> UInt32 {
        guard let wanted = next(.data, &reader, flags: Frame.endStream) else { throw NoRequest() }
        return wanted.stream
    }

    public struct NoRequest: Error {}
}
