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

    @Test("sends the names of fields that change with each call once")
    func names() throws {
        var known = IntroducedNames()
        var introduced = [known.introduceTimeout()]
        introduced += ["x-request-id", "traceparent"].map { known.introduce($0) }
        #expect(introduced == [true, true, true])
        let again = ["x-request-id", "traceparent", "token", "authorization"].map { known.introduce($0) }
        #expect(again == [false, false, false, false])
        // Names that are taken for known and were never sent are sent each time.
        let always = try requestBytes(known)
        let once = try requestBytes(IntroducedNames())
        #expect(always[1] == always[2] && once[1] == once[2])
        #expect(always[2] - once[2] > 20)
    }

    /// The bytes of each of three requests on one connection.
    private func requestBytes(_ names: IntroducedNames) throws -> [Int] {
        var names = names
        let delegate = Silent()
        let session = try HTTP2Session(.client, HTTP2Session.Settings(), delegate: delegate)
        var out = ByteBuffer()
        while try session.drain(into: &out, bytesMax: 1 << 20) {}
        var sizes: [Int] = []
        for _ in 0..<3 {
            // Expired, so that the time left has as many digits each time.
            let call = ClientCall(
                path: "/a/b", body: [1],
                metadata: [
                    "x-request-id": "0123456789abcdef",
                    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                ], deadline: Deadline(.uptimeNanoseconds(0)), isProbe: false)
            let isSubmitted = session.submitRequest(call, body: [1]) {
                call.writeHeaders(&$0, scheme: "http", authority: "b", &names)
            }
            #expect(isSubmitted)
            out.clear()
            while try session.drain(into: &out, bytesMax: 1 << 20) {}
            sizes.append(out.readableBytes)
        }
        withExtendedLifetime(delegate) {}
        return sizes
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
