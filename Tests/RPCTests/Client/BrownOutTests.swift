import Contracts
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import RPC

/// A failing service must not be asked much more often than a healthy one.
@Suite("Retries in a brown-out", .timeLimit(.minutes(10)), .turns) struct BrownOutTests {
    /// Refuses every second request unprocessed, which is safe to retry, and answers the others.
    private func losing(_ count: Counter) throws -> FakeServer {
        try FakeServer { _, peer in
            var reader = FrameReader()
            var stream = try peer.acceptRequest(&reader)
            while true {
                peer.send(
                    count.increment() % 2 == 0 ? Frame.reset(stream, code: 7).bytes : Frame.emptyAnswer(stream))
                stream = try peer.nextRequest(&reader)
            }
        }
    }

    @Test("each call earns a tenth of a retry, a retry by the caller costs one of ours")
    func arithmetic() {
        let budget = RetryBudget(tokensMax: 2)
        #expect(budget.takeRetry() && budget.takeRetry() && !budget.takeRetry())
        for _ in 0..<10 { budget.callBegan() }
        #expect(budget.takeRetry() && !budget.takeRetry())
        for _ in 0..<20 { budget.callBegan() }
        budget.retryBegan()
        #expect(budget.takeRetry() && !budget.takeRetry())
        budget.retryBegan()
        for _ in 0..<10 { budget.callBegan() }
        #expect(!budget.takeRetry(), "the debt was paid")
        for _ in 0..<10 { budget.callBegan() }
        #expect(budget.takeRetry() && !budget.takeRetry())
    }

    @Test("what a server refuses is not tried again, whatever its method")
    func refusalsAreFinal() async throws {
        let count = Counter()
        let route = RPCRoute(TestMethods.idempotentEcho) { _, _ -> Vessel_Vessel in
            count.increment()
            throw Status(.resourceExhausted, "enough", metadata: ["retry-after": "1"])
        }
        let server = RPCServer(
            routes: [route], configuration: .init(address: HostPort(host: "127.0.0.1", port: 0)), group: .singleton,
            logger: quiet)
        let port = try await server.start().port ?? 0
        try await withClient(port) { client in
            for _ in 0..<50 { #expect(await client.status(of: TestMethods.idempotentEcho).code == .resourceExhausted) }
        }
        await server.drain(timeout: .zero)
        #expect(count.value == 50)
    }

    @Test("a service that loses half of all calls sees a tenth more than are made, those counted that came as retries")
    func chain() async throws {
        let offered = 2_400
        let retries = offered / 10
        let count = Counter()
        let server = try losing(count)
        try await withClient(server.port) { client in
            await withTaskGroup { group in
                for worker in 0..<8 {
                    group.addTask {
                        for call in 0..<((offered + retries) / 8) {
                            // Every eleventh is somebody else's second attempt.
                            let metadata: Metadata =
                                (call + worker) % 11 == 0 ? ["grpc-previous-rpc-attempts": "1"] : [:]
                            _ = await client.status(of: TestMethods.echo, metadata: metadata, within: .seconds(30))
                        }
                    }
                }
            }
        }
        server.stop()
        // A client begins with 100 retries.
        #expect(count.value <= offered + offered / 10 + 100 + 40, "\(count.value)")
        #expect(count.value >= offered + retries + 50, "\(count.value): hardly any was retried")
    }

    @Test("a call made on behalf of a retry is not retried again, and says what it is")
    func marks() async throws {
        let count = Counter()
        let server = try FakeServer { _, peer in
            var reader = FrameReader()
            var stream = try peer.acceptRequest(&reader)
            while true {
                count.increment()
                peer.send(Frame.reset(stream, code: 7).bytes)
                stream = try peer.nextRequest(&reader)
            }
        }
        try await withClient(server.port) { client in
            let metadata: Metadata = ["grpc-previous-rpc-attempts": "1"]
            #expect(await client.status(of: TestMethods.idempotentEcho, metadata: metadata).code == .unavailable)
        }
        server.stop()
        #expect(count.value == 1)
        try await withServer { server in
            try await withClient(server.port) { client in
                let asked = Vessel_Vessel(id: "grpc-previous-rpc-attempts")
                let answer = try await client.call(
                    TestMethods.context, asked, metadata: ["grpc-previous-rpc-attempts": "2"],
                    deadline: .after(.seconds(20)))
                #expect(answer.name == "2")
            }
        }
        let received: Metadata = ["grpc-previous-rpc-attempts": "2", "secret": "x"]
        #expect(received.propagated == ["grpc-previous-rpc-attempts": "2"])
    }
}
