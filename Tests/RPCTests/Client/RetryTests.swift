import Contracts
import NIOConcurrencyHelpers
import NIOCore
import TestSupport
import Testing

@testable import RPC

/// A call is retried only when that is surely safe, or when its method allows it.
@Suite("Repeating a call", .turns)
struct RetryTests {
    /// Takes requests and answers as the test says, counting them.
    private func requests(
        _ count: Counter, _ answer: @escaping @Sendable (_ number: Int, _ stream: UInt32) -> [UInt8]?
    ) -> @Sendable (Int, RawPeer) throws -> Void {
        { _, peer in
            var reader = FrameReader()
            var stream = try peer.acceptRequest(&reader)
            while true {
                let number = count.increment()
                guard let bytes = answer(number, stream) else {
                    peer.end()
                    return
                }
                peer.send(bytes)
                stream = try peer.nextRequest(&reader)
            }
        }
    }

    @Test("a refused stream is sent again, whatever the method")
    func refusedStream() async throws {
        let count = Counter()
        let server = try FakeServer(
            requests(count) { number, stream in
                number == 1 ? Frame.reset(stream, code: 7).bytes : Frame.emptyAnswer(stream)
            })
        try await withClient(server.port) { client in
            #expect(await client.status(of: TestMethods.echo) == .ok)
        }
        #expect(count.value == 2)
        server.stop()
    }

    @Test("a stream above the GOAWAY's last is sent again on another connection, whatever the method")
    func goAway() async throws {
        let count = Counter()
        let server = try FakeServer(
            requests(count) { number, stream in
                number == 1 ? Frame.goAway(last: 0).bytes : Frame.emptyAnswer(stream)
            })
        try await withClient(server.port) { client in
            #expect(await client.status(of: TestMethods.echo) == .ok)
        }
        #expect(count.value == 2)
        #expect(server.accepted >= 2)
        server.stop()
    }

    @Test("a call that may have been processed is not retried, unless its method is idempotent")
    func lost() async throws {
        for (method, expected) in [(TestMethods.echo, 1), (TestMethods.idempotentEcho, 2)] {
            let count = Counter()
            let server = try FakeServer(
                requests(count) { number, stream in number == 1 ? nil : Frame.emptyAnswer(stream) })
            try await withClient(server.port, { $0.attemptsMax = 5 }) { client in
                let status = await client.status(of: method)
                #expect(status.code == (method.isIdempotent ? .ok : .unavailable), "\(method.name): \(status)")
            }
            #expect(count.value == expected, "\(method.name)")
            server.stop()
        }
    }

    @Test("a call that may have been processed is retried if it has an idempotency key, which an empty text is not")
    func keyed() async throws {
        for (key, expected) in [("k1", 2), ("", 1)] {
            let count = Counter()
            let server = try FakeServer(
                requests(count) { number, stream in number == 1 ? nil : Frame.emptyAnswer(stream) })
            try await withClient(server.port) { client in
                let status = await client.status(of: TestMethods.echo, metadata: ["idempotency-key": key])
                #expect(status.code == (expected == 2 ? .ok : .unavailable), "\(status)")
            }
            #expect(count.value == expected)
            server.stop()
        }
    }

    @Test("a server that dies while handlers run gets each call once, unless the method is idempotent")
    func diedMidCall() async throws {
        for (method, expected) in [(TestMethods.wait, 1), (TestMethods.idempotentWait, 2)] {
            let log = HandlerLog()
            let (first, second) = (try await TestServer.start(log: log), try await TestServer.start(log: log))
            let addresses = NIOLockedValueBox([try first.socketAddress])
            let next = try second.socketAddress
            let lookUp: @Sendable () throws -> [SocketAddress] = { addresses.withLockedValue { $0 } }
            try await withClient(addresses: lookUp, { $0.resolveInterval = .milliseconds(50) }) { client in
                // Knows of the second before the first dies, so that there is somewhere to go.
                let call = Task { await client.status(of: method, Vessel_Vessel(capacity: 6_000)) }
                try await eventually("the call") { log.began == 1 }
                addresses.withLockedValue { $0.append(next) }
                try await eventually("the second's connection") { second.server.connectionCount > 0 }
                await first.stop()
                #expect(await call.value.code == (method.isIdempotent ? .ok : .unavailable))
            }
            #expect(log.began == expected, "\(method.name)")
            await second.stop()
        }
    }

    @Test("an answer that says UNAVAILABLE is the server's decision, and not retried")
    func answered() async throws {
        try await withServer { server in
            try await withClient(server.port) { client in
                let failed = Vessel_Vessel(name: "the store is down", capacity: Status.Code.unavailable.rawValue)
                let status = await client.status(of: TestMethods.fail, failed)
                #expect(status.message == "the store is down")
            }
        }
    }

    @Test("attempts are bounded")
    func attempts() async throws {
        let count = Counter()
        let server = try FakeServer(requests(count) { _, stream in Frame.reset(stream, code: 7).bytes })
        try await withClient(server.port, { $0.attemptsMax = 3 }) { client in
            #expect(await client.status(of: TestMethods.echo).code == .unavailable)
        }
        #expect(count.value == 3)
        server.stop()
    }

    @Test("when the budget is used up, calls are made once")
    func budget() async throws {
        let count = Counter()
        let server = try FakeServer(requests(count) { _, stream in Frame.reset(stream, code: 7).bytes })
        try await withClient(server.port, { $0.attemptsMax = 2 }) { client in
            // 100 tokens, and a tenth for each call: the 112th or so finds none.
            await withTaskGroup(of: Void.self) { tasks in
                for _ in 0..<8 {
                    tasks.addTask {
                        for _ in 0..<25 { _ = await client.status(of: TestMethods.echo) }
                    }
                }
            }
        }
        let made = count.value
        #expect(made >= 300 && made <= 325, "\(made) requests for 200 calls")
        server.stop()
    }

    @Test("no attempt is made past the deadline")
    func deadline() async throws {
        let count = Counter()
        let server = try FakeServer(requests(count) { _, stream in Frame.reset(stream, code: 7).bytes })
        try await withClient(server.port, { $0.attemptsMax = 1_000 }) { client in
            let began = NIODeadline.now()
            let status = await client.status(of: TestMethods.echo, within: .milliseconds(300))
            #expect(status.code == .unavailable || status.code == .deadlineExceeded)
            #expect(NIODeadline.now() - began < .seconds(5))
        }
        server.stop()
    }
}
