import Foundation
import TestSupport

/// Requests as raw bytes, unchecked by any library.
enum WirePeer {
    /// Longest wait for an answer, in seconds.
    private static let patience = 60.0

    /// One HTTP/1.1 request on a connection of its own.
    ///
    /// - Returns: the status line; `nil` when nothing came.
    static func http1(
        _ port: Int, _ method: String, _ target: String, _ headers: [(String, String)] = [], body: String = ""
    ) async throws -> String? {
        var headers = headers
        if !headers.contains(where: { $0.0 == "host" }) { headers.append(("host", "localhost")) }
        if !body.isEmpty || method == "POST", !headers.contains(where: { $0.0 == "content-length" }) {
            headers.append(("content-length", "\(body.utf8.count)"))
        }
        let head = "\(method) \(target) HTTP/1.1\r\n" + headers.map { "\($0): \($1)\r\n" }.joined() + "\r\n"
        let bytes = Array(head.utf8) + Array(body.utf8)
        return try await onThread {
            let peer = try RawPeer(port: port)
            // A server that refuses early may close before everything is sent.
            peer.send(bytes)
            var answer: [UInt8] = []
            while !answer.contains(UInt8(ascii: "\n")) {
                guard let more = peer.receive(patience: patience), !more.isEmpty else { return nil }
                answer += more
            }
            return String(decoding: answer.prefix { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
        }
    }

    /// One HTTP/2 request on a connection of its own.
    ///
    /// - Parameters:
    ///   - fields: all header fields, pseudo-header fields first.
    ///   - message: the body; `nil` for a request without one.
    /// - Returns: the server's reaction on the stream; `nil` when nothing came.
    static func http2(_ port: Int, _ fields: [(String, String)], message: [UInt8]? = nil) async throws -> String? {
        let flags = Frame.endHeaders | (message == nil ? Frame.endStream : 0)
        let head = Frame(.headers, flags, stream: 1, Frame.block(fields)).bytes
        let bytes = Frame.hello + head + (message.map { Frame.message(1, $0).bytes } ?? [])
        return try await onThread {
            let peer = try RawPeer(port: port)
            peer.send(bytes)
            var reader = FrameReader()
            let last = peer.frame(&reader, patience: patience) {
                let isAnswer =
                    $0.stream == 1 && ($0.flags & Frame.endStream != 0 || $0.kind == Frame.Kind.reset.rawValue)
                return isAnswer || $0.kind == Frame.Kind.goAway.rawValue
            }
            return last.map { "\(Frame.Kind(rawValue: $0.kind).map { "\($0)" } ?? "")" }
        }
    }
}

/// Protobuf messages as bytes.
enum Wire {
    /// A field that holds a text, inside the messages whose field numbers come before its own.
    static func text(_ path: [Int], _ text: String) -> [UInt8] {
        path.reversed().reduce(Array(text.utf8)) { content, number in
            varint(number << 3 | 2) + varint(content.count) + content
        }
    }

    private static func varint(_ value: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = value
        while rest >= 128 {
            bytes.append(UInt8(rest & 127 | 128))
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}
