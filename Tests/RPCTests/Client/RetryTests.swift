import Contracts
import NIOCore
import TestSupport
import Testing

@testable import RPC

/// A call is repeated only when that is surely safe, or when its method allows it.
@Suite("Repeating a call")
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
        #expect(server.accepted == 2)
        server.stop()
    }

    @Test("a call that may have been processed is not repeated, unless its method is idempotent")
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

    @Test("a server that dies while handlers run gets each call once, unless the method is idempotent")
    func diedMidCall() async throws {
        let log = HandlerLog()
        let first = try await TestServer.start(log: log)
        let address = try first.socketAddress
        try await withClient(addresses: { [address] }) { client in
            let plain = Task { await client.status(of: TestMethods.wait, Vessel_Vessel(capacity: 60_000)) }
            try await eventually("the call") { log.began == 1 }
            await first.stop()
            #expect(await plain.value.code == .unavailable)
            let second = try await TestServer.start(port: first.port, log: log)
            try await second.servesAGoodClient()
            #expect(log.began == 2)

            let again = Task { await client.status(of: TestMethods.idempotentWait, Vessel_Vessel(capacity: 1_500)) }
            try await eventually("the idempotent call") { log.began == 3 }
            await second.stop()
            let third = try await TestServer.start(port: first.port, log: log)
            _ = await again.value
            await third.stop()
        }
    }

    @Test("an answer that says UNAVAILABLE is the server's word, and not repeated")
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
