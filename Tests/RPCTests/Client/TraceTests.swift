import Contracts
import NIOCore
import TestSupport
import Testing
import Tracing
import Traces

@testable import RPC

/// What a call leaves in a trace, seen from both of its ends.
@Suite("Calls in traces", .turns)
struct TraceTests {
    private static let unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

    private let buffer = SpanBuffer(capacity: 1_000, batchSize: 1_000) {}
    private var tracer: SpanTracer { SpanTracer(buffer: buffer) }

    /// Runs `body` within a span of its own, as a handler's caller does.
    private func inSpan<Result: Sendable>(
        _ tracer: SpanTracer, _ body: () async throws -> Result
    ) async rethrows -> (Result, TraceParent) {
        let span = tracer.begin(tracer.decide(nil, "a=b"), "test", kind: .internal)
        defer { span.end() }
        return (try await TraceSpan.within(span, body), span.identity)
    }

    @Test("a call is a span at either end, and the handler's own calls hang below it")
    func spans() async throws {
        let tracer = tracer
        try await withServer({ $0.tracer = tracer }) { server in
            try await withClient(server.port) { client in
                let (answer, own) = try await inSpan(tracer) {
                    try await client.call(
                        TestMethods.context, Vessel_Vessel(id: "traceparent"), deadline: .after(.seconds(20)))
                }
                try await eventually("three spans") { buffer.count == 3 }
                let spans = Dictionary(uniqueKeysWithValues: buffer.take(10).map { ("\($0.kind)", $0) })
                let (client, server) = (try #require(spans["client"]), try #require(spans["server"]))
                #expect(client.parentSpanID == own.spanID && server.parentSpanID == client.identity.spanID)
                #expect(client.name == "test.Test/Context" && server.name == client.name)
                // What the handler passes on is itself, not its caller.
                #expect(answer.name == server.identity.text)
                #expect(client.startNanoseconds <= server.startNanoseconds)
                #expect(server.endNanoseconds <= client.endNanoseconds)
                for span in [client, server] {
                    #expect(span.details.attributes.get("rpc.response.status_code") == "OK")
                    #expect(span.details.status == nil && span.identity.traceID == own.traceID)
                }
            }
        }
    }

    @Test("what is not sampled goes on as it came, and makes no span")
    func unsampled() async throws {
        let tracer = tracer
        try await withServer({ $0.tracer = tracer }) { server in
            try await withClient(server.port) { client in
                let answer = try await client.call(
                    TestMethods.context, Vessel_Vessel(id: "traceparent"), metadata: ["traceparent": Self.unsampled],
                    deadline: .after(.seconds(20)))
                #expect(answer.name == Self.unsampled)
                _ = try await client.echo("x")
                try await eventually("the span of a call without a trace") { buffer.count == 1 }
                #expect(buffer.take(1).first?.parentSpanID == 0)
            }
        }
    }

    @Test("fields with one name are one list of states, and no parent")
    func severalFields() {
        var metadata: Metadata = ["traceparent": Self.unsampled, "tracestate": "a=b"]
        let single = metadata
        metadata.mergeTrace()
        #expect(metadata == single)
        metadata.add("tracestate", "c=d")
        metadata.mergeTrace()
        #expect(metadata["tracestate"] == "a=b,c=d" && metadata.count == 2)
        metadata.add("traceparent", Self.unsampled)
        metadata.mergeTrace()
        #expect(metadata["traceparent"] == nil && metadata.count == 1)
    }

    @Test(
        "a server's span is an error where the server is to blame, a client's where the call failed",
        arguments: [
            (Status.Code.notFound, false), (.invalidArgument, false), (.resourceExhausted, false), (.internal, true),
            (.unavailable, true), (.deadlineExceeded, true),
        ])
    func errors(code: Status.Code, isServers: Bool) async throws {
        let tracer = tracer
        try await withServer({ $0.tracer = tracer }) { server in
            try await withClient(server.port) { client in
                let (status, _) = await inSpan(tracer) {
                    await client.status(
                        of: TestMethods.fail, Vessel_Vessel(name: "a secret text", capacity: code.rawValue))
                }
                #expect(status.code == code)
                try await eventually("three spans") { buffer.count == 3 }
                for span in buffer.take(3) where span.kind != .internal {
                    let isError = span.kind == .client || isServers
                    #expect((span.details.status?.code == .error) == isError)
                    #expect(span.details.attributes.get("rpc.response.status_code") == .string(code.name))
                    #expect(!"\(span)".contains("a secret text"))
                }
            }
        }
    }

    @Test("a call whose deadline passes ends its spans with that")
    func deadline() async throws {
        let tracer = tracer
        try await withServer({ $0.tracer = tracer }) { server in
            try await withClient(server.port) { client in
                // Time enough to connect, so that the server sees the call.
                let (status, _) = await inSpan(tracer) {
                    await client.status(
                        of: TestMethods.wait, Vessel_Vessel(capacity: 20_000), within: .seconds(3))
                }
                #expect(status.code == .deadlineExceeded)
                try await eventually("three spans") { buffer.count == 3 }
                // The client's reset and the server's own clock race.
                for span in buffer.take(3) where span.kind != .internal {
                    let code = span.details.attributes.get("rpc.response.status_code")
                    #expect(code == "DEADLINE_EXCEEDED" || (span.kind == .server && code == "CANCELLED"))
                }
            }
        }
    }

    @Test("a retry shows in the client's span")
    func retry() async throws {
        let count = Counter()
        let server = try FakeServer { _, peer in
            var reader = FrameReader()
            var stream = try peer.acceptRequest(&reader)
            while true {
                let isFirst = count.increment() == 1
                peer.send(isFirst ? Frame.reset(stream, code: 7).bytes : Frame.emptyAnswer(stream))
                stream = try peer.nextRequest(&reader)
            }
        }
        let tracer = tracer
        try await withClient(server.port) { client in
            let (status, _) = await inSpan(tracer) { await client.status(of: TestMethods.echo) }
            #expect(status.code == .ok)
        }
        let span = try #require(buffer.take(10).first { $0.kind == .client })
        #expect(span.details.events.map(\.name) == ["retry"])
        #expect(span.details.events.first?.attributes.get("rpc.attempt") == 2)
        server.stop()
    }
}
