import NIOCore
import TestSupport
import Testing

@Suite("Early answers over HTTP/2")
struct HTTP2EarlyAnswerTests {
    @Test("a rejection arrives whole however small the window is, and only then is the rest of the body declined")
    func smallWindow() async throws {
        try await withServer(.echo(), configure: { $0.bodyBytesMax = 10 }) { _, address in
            let port = try #require(address.port)
            try await onThread {
                let peer = try RawPeer(port: port)
                var reader = FrameReader()
                let window: UInt32 = 5
                peer.send(
                    Frame.hello + Frame.settings([(id: 4, value: window)]).bytes
                        + Frame.http("POST", "/", stream: 1, endStream: false).bytes
                        + Frame(.data, 0, stream: 1, Array(repeating: 0x78, count: 11)).bytes)
                var body: [UInt8] = []
                var isReset = false
                while let frame = peer.frame(&reader, where: { $0.stream == 1 }) {
                    if frame.kind == Frame.Kind.data.rawValue {
                        body += frame.payload
                        if frame.flags & Frame.endStream == 0 { peer.send(Frame.windowUpdate(1, window).bytes) }
                    }
                    if frame.kind == Frame.Kind.reset.rawValue {
                        isReset = true
                        break
                    }
                }
                let text = String(decoding: body, as: UTF8.self)
                #expect(text == "rejected: bodyTooLarge")
                #expect(isReset)
            }
        }
    }
}
