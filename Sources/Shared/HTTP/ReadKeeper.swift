import NIOCore
import NIOHTTP1

/// Keeps the bytes that the parser is reading, for as long as it reads them.
///
/// The parser says of a request line only that it does not know its method, whether that is another method or no HTTP at
/// all; the bytes tell which (RFC 9110 section 9.1: an unknown method is 501).
final class ReadKeeper: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private var bytes: ByteBuffer?

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes = unwrapInboundIn(data)
        context.fireChannelRead(data)
        bytes = nil
    }

    /// Whether the line that the parser stopped at begins with a method that the server does not know.
    ///
    /// - Parameter isFirst: whether no request before it ended in the same read. Otherwise it is looked for behind the
    ///   empty lines that end header sections: one that follows a body directly is not found, and counts as malformed.
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

    /// A token and a space; of a line that comes in pieces there may be no more yet than a piece of the token.
    private static func beginsWithUnknownMethod(_ bytes: ByteBufferView) -> Bool {
        let token = bytes.prefix(methodBytesMax).prefix(while: isTokenByte)
        guard !token.isEmpty, token.endIndex == bytes.endIndex || bytes[token.endIndex] == UInt8(ascii: " ") else {
            return false
        }
        if case .RAW = HTTPMethod(rawValue: String(decoding: token, as: UTF8.self)) { return true }
        return false
    }

    /// Longer ones are no methods.
    private static let methodBytesMax = 64

    /// RFC 9110 section 5.6.2.
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
