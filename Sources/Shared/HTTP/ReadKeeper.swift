import NIOCore
import NIOHTTP1

/// Keeps the bytes that the parser is reading, as long as it reads them.
///
/// For a request line the parser reports only that it does not know the method, whether that is another method or the
/// line is not HTTP at all. The bytes tell which (RFC 9110 section 9.1: an unknown method is 501).
final class ReadKeeper: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private var bytes: ByteBuffer?

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes = unwrapInboundIn(data)
        context.fireChannelRead(data)
        bytes = nil
    }

    /// Whether the line at which the parser stopped begins with a method that the server does not know.
    ///
    /// - Parameter isFirst: whether no request before it ended in the same read. Otherwise the line is searched for
    ///   after the empty lines that end header sections. One that directly follows a body is not found, and counts as
    ///   malformed.
    func hasUnknownMethod(isFirst: Bool) -> Bool {
        guard let bytes = bytes?.readableBytesView else { return false }
        if isFirst { return Self.beginsWithUnknownMethod(bytes) }
        var rest = bytes
        while let line = rest.firstIndex(of: UInt8(ascii: "\n")) {
            rest = rest[(line + 1)...]
            guard rest.starts(with: [UInt8(ascii: "\r"), UInt8(ascii: "\n")]) else { continue }
            if Self.beginsWithUnknownMethod(rest.dropFirst(2)) { return true }
        }
        return false
    }

    /// Whether the bytes begin with a token, then a space or the end: a line may arrive in pieces.
    private static func beginsWithUnknownMethod(_ bytes: ByteBufferView) -> Bool {
        let token = bytes.prefix(methodBytesMax).prefix(while: isTokenByte)
        guard !token.isEmpty, token.endIndex == bytes.endIndex || bytes[token.endIndex] == UInt8(ascii: " ") else {
            return false
        }
        if case .RAW = HTTPMethod(rawValue: String(decoding: token, as: UTF8.self)) { return true }
        return false
    }

    /// Longest token that counts as a method, in bytes.
    private static let methodBytesMax = 64

    /// `tchar` (RFC 9110 section 5.6.2).
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "!"), UInt8(ascii: "#")...UInt8(ascii: "'"),
            UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^")...UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
