import NIOCore
import Testing

@testable import RPC

@Suite("A client's session")
struct HTTP2SessionTests {
    /// A delegate that does nothing.
    private final class Silent: HTTP2SessionDelegate {
        func sessionOpensStream() -> HTTP2Stream? { nil }
        func session(received name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, on stream: HTTP2Stream) {}
        func sessionReceivedHeaders(on stream: HTTP2Stream) {}
        func session(received data: UnsafeRawBufferPointer, on stream: HTTP2Stream) {}
        func sessionReceivedEnd(on stream: HTTP2Stream) {}
        func session(closed stream: HTTP2Stream, _ code: HTTP2ErrorCode) {}
        func session(received frame: HTTP2ControlFrame) {}
    }

    @Test("knows which requests were never written and may be sent elsewhere")
    func unsent() throws {
        let delegate = Silent()
        let session = try HTTP2Session(.client, HTTP2Session.Settings(), delegate: delegate)
        let streams = [HTTP2Stream(id: 0), HTTP2Stream(id: 0)]
        var out = ByteBuffer()
        for stream in streams {
            let isSubmitted = session.submitRequest(stream, body: [1]) { fields in
                fields.add(":method", "POST")
                fields.add(":scheme", "http")
                fields.add(":path", "/a")
                fields.add(":authority", "b")
            }
            #expect(isSubmitted)
            // Only the first request is written.
            if stream === streams[0] { while try session.drain(into: &out, bytesMax: 1 << 20) {} }
        }
        session.markUnsentRequests()
        #expect(!streams[0].wasNeverSent)
        #expect(streams[1].wasNeverSent)
        withExtendedLifetime(delegate) {}
    }
}
