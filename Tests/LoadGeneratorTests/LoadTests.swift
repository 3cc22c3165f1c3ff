import Glibc
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import LoadGenerator

@Suite("A load", .serialized)
struct LoadTests {
    /// Each request has ended in exactly one way, and all counts agree.
    private func expectAddsUp(_ result: RunResult) {
        let total = result.total
        #expect(total.ended == total.offered)
        #expect(total.accepted == Int(total.latency.totalCount))
        #expect(total.accepted == Int(total.service.totalCount))
        #expect(total.refused == Int(total.refusal.totalCount))
        let buckets = Bucket.sum(result.buckets)
        #expect(buckets.offered == total.offered)
        #expect(buckets.accepted == total.accepted)
        #expect(buckets.latencies.count == total.accepted)
        #expect(buckets.refused == total.refused)
        #expect(buckets.failed == total.failed)
    }

    @Test("all that was planned is offered and accepted, phase by phase and kind by kind")
    func accepted() async throws {
        try await FakeGateway.with { gateway in
            let (result, _) = try await load(gateway, "1s@200,500ms@400", mix: "signup=1,login=1,booking=1,listing=1")
            expectAddsUp(result)
            #expect(result.figures(phase: 0).accepted == 200)
            #expect(result.figures(phase: 1).accepted == 200)
            for kind in Kind.allCases { #expect(result.figures(kind: kind).accepted == 100) }
            #expect(result.seconds >= 1.4)
        }
    }

    @Test("a server that stalls for a second gets no fewer requests, and the wait shows in each of them")
    func stall() async throws {
        let behaviour = FakeGateway.Behaviour(stall: (after: .seconds(1), length: .seconds(1)))
        try await FakeGateway.with(behaviour) { gateway in
            // With one connection the wait is before the sending: a latency from there would hide it.
            let (result, _) = try await load(gateway, "3s@200", connections: 1)
            expectAddsUp(result)
            #expect(result.total.accepted == 600)
            // In the second of the stall a request waits for half a second on average.
            let stalled = Bucket.sum(result.buckets[result.tenths(1.1..<1.4)])
            let median = try #require(stalled.milliseconds(50))[0]
            #expect(median > 600 && median < 1_200)
            // A third of all: 200 requests planned while it stalled.
            let p80 = try #require(result.total.latency.milliseconds(80))
            #expect(p80 > 300)
            let service = try #require(result.total.service.milliseconds(80))
            #expect(
                service < 100, "from the sending hardly any is seen: the single connection sends few while it stalls")
        }
    }

    @Test("the plan is kept while the server stalls: every tenth of a second has its share")
    func independence() async throws {
        let behaviour = FakeGateway.Behaviour(stall: (after: .milliseconds(300), length: .seconds(1)))
        try await FakeGateway.with(behaviour) { gateway in
            let (result, _) = try await load(gateway, "2s@200", connections: 500)
            #expect(result.buckets.prefix(20).allSatisfy { $0.offered == 20 })
            // With connections enough they were all sent at once, too.
            let service = try #require(result.total.service.milliseconds(75))
            #expect(service > 200)
        }
    }

    @Test("refusals, errors and lost connections are counted apart, and the load goes on")
    func faults() async throws {
        let faults: [(every: Int, status: Int?)] = [
            (every: 10, status: 503), (every: 7, status: nil), (every: 4, status: 404),
        ]
        try await FakeGateway.with(FakeGateway.Behaviour(faults: faults)) { gateway in
            let (result, _) = try await load(gateway, "1s@280")
            expectAddsUp(result)
            let total = result.total
            // The three bookings before the load shift the count, and none of the three is a fault.
            #expect(total.statuses[503] == 28)
            #expect(total.lost == 36)
            #expect(total.refused == 0)
            #expect(total.accepted > 100)
            #expect(result.connectionsOpened > 36)
        }
    }

    @Test("429 is a refusal, and whether it says when to come back is seen")
    func refusals() async throws {
        let behaviour = FakeGateway.Behaviour(cost: .milliseconds(10), waitMax: .milliseconds(20))
        try await FakeGateway.with(behaviour) { gateway in
            let (result, _) = try await load(gateway, "2s@300")
            expectAddsUp(result)
            let total = result.total
            #expect(total.refused > 300)
            #expect(total.refusedWithRetryAfter == total.refused)
            // One worker, 10 ms each: 100 a second, and those that wait at the end.
            #expect(total.accepted > 120 && total.accepted <= 204)
            #expect(total.failed == 0)
        }
    }

    @Test("what has no answer in time has failed, and what found no connection was never sent")
    func timeouts() async throws {
        let behaviour = FakeGateway.Behaviour(stall: (after: .milliseconds(500), length: .seconds(60)))
        try await FakeGateway.with(behaviour) { gateway in
            let (result, _) = try await load(gateway, "1s@500", connections: 2, timeout: 0.8)
            expectAddsUp(result)
            let total = result.total
            #expect(total.timedOut > 0)
            #expect(total.notSent > 0)
            #expect(result.connectionsMost == 2)
            #expect(total.accepted >= 200 && total.accepted <= 300)
            #expect(result.seconds < 4)
            #expect(GeneratorReport(result).warnings.contains { $0.contains("never sent") })
        }
    }

    @Test("a server that ends the connection with each answer is taken as it is")
    func closing() async throws {
        try await FakeGateway.with(FakeGateway.Behaviour(closes: true)) { gateway in
            let (result, _) = try await load(gateway, "1s@100")
            expectAddsUp(result)
            #expect(result.total.accepted == 100)
            #expect(result.connectionsOpened >= 100)
        }
    }

    @Test("a connection that is not needed for half a minute is closed before the server does it")
    func idleConnections() async throws {
        try await FakeGateway.with(.init(cost: .milliseconds(20))) { gateway in
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            let loop = group.next()
            let address = try SocketAddress(ipAddress: "127.0.0.1", port: gateway.port)
            let client = try await loop.submit {
                NIOLoopBound(
                    Client(
                        loop: loop, address: address, connectionsMax: 10, timeout: 5_000_000_000,
                        bytes: { _ in ByteBuffer(string: "GET / HTTP/1.1\r\nHost: test\r\n\r\n") },
                        ended: { _, _, _ in }),
                    eventLoop: loop)
            }.get()
            try await loop.submit {
                for _ in 0..<5 { client.value.submit(Call(planned: Client.now(), kind: .listing, phase: 0)) }
            }.get()
            try await eventually("the answers") { try await loop.submit { client.value.underWay == 0 }.get() }
            func connections(after seconds: Int64) async throws -> Int {
                try await loop.submit {
                    client.value.sweep(Client.now() + seconds * 1_000_000_000)
                    return client.value.connectionCount
                }.get()
            }
            #expect(try await connections(after: 20) == 5)
            _ = try await connections(after: 31)
            try await eventually("the ends of the connections") { try await connections(after: 0) == 0 }
            try await group.shutdownGracefully()
        }
    }

    @Test("where nobody listens each request is a lost connection, and the run ends")
    func nobody() async throws {
        let target = try Target("http://127.0.0.1:\(try Ports.free())", allowRemote: false)
        let (result, _) = try await unprepared(target, "1s@50")
        expectAddsUp(result)
        #expect(result.total.lost == 50)
    }

    @Test("memory and processor time of a process are watched, and one that is gone is none")
    func watching() async throws {
        let own = try #require(WatchedProcess(argument: "\(getpid())=own"))
        let gone = try #require(WatchedProcess(argument: "2147483646=gone"))
        try await FakeGateway.with { gateway in
            let (result, processes) = try await load(gateway, "2s@50", watched: [own, gone])
            #expect(processes.map(\.name) == ["own", "gone"])
            #expect(processes[0].samples.count >= 3)
            #expect(processes[0].samples.allSatisfy { $0.residentKiB > 1_000 })
            #expect(processes[1].samples.isEmpty)
            #expect(result.processorShare > 0)
        }
    }
}
