import Contracts
import NIOConcurrencyHelpers
import NIOCore
import TestSupport
import Testing

@testable import RPC

@Suite("The maximum age of connections", .turns)
struct ConnectionAgeTests {
    @Test("calls without pause see one generation of connections after the other, and none fails")
    func generations() async throws {
        try await withServer({ $0.connectionAgeMax = .milliseconds(300) }) { server in
            try await withLoops(2, server.port) { client in
                let peers = NIOLockedValueBox(Set<String>())
                let load = CallLoad(client) { client in
                    do {
                        let answer = try await client.call(
                            TestMethods.context, Vessel_Vessel(), deadline: .after(.seconds(20)))
                        peers.withLockedValue { _ = $0.insert(answer.ownerID) }
                        return .ok
                    } catch {
                        return Status(error)
                    }
                }
                let seen: Result<Void, any Error> = await Result {
                    // Two at a time.
                    try await eventually("six generations") { peers.withLockedValue { $0.count } >= 12 }
                }
                let failures = await load.stop()
                try seen.get()
                #expect(failures.isEmpty, "\(failures.count) of \(load.answered.value): \(failures.prefix(3))")
            }
        }
    }

    @Test("calls follow to a server that is new behind the same address, and leave one that is no longer there")
    func balancer() async throws {
        let first = try await TestServer.start { $0.connectionAgeMax = .milliseconds(300) }
        let second = try await TestServer.start { $0.connectionAgeMax = .milliseconds(300) }
        let relay = try Relay(to: [first.port])
        try await withLoops(2, relay.port) { client in
            let load = CallLoad(client)
            let followed: Result<Void, any Error> = await Result {
                try await eventually("calls at the first") { first.log.began > 100 }
                #expect(second.log.began == 0)
                relay.lead(to: [first.port, second.port])
                try await eventually("calls at the second") { second.log.began > 100 }
                relay.lead(to: [second.port])
                // A connection to the first may be under way still.
                var (before, there) = (-1, 0)
                try await eventually("100 calls at the second while the first has neither call nor connection") {
                    if first.log.began != before || first.server.connectionCount > 0 {
                        (before, there) = (first.log.began, second.log.began)
                    }
                    return second.log.began > there + 100
                }
            }
            let failures = await load.stop()
            try followed.get()
            #expect(failures.isEmpty, "\(failures.count) of \(load.answered.value): \(failures.prefix(3))")
        }
        relay.stop()
        await first.stop()
        await second.stop()
    }

    @Test("a call that is in flight when the age is reached is answered")
    func inFlight() async throws {
        try await withServer({ $0.connectionAgeMax = .milliseconds(200) }) { server in
            try await withClient(server.port) { client in
                #expect(await client.status(of: TestMethods.wait, Vessel_Vessel(capacity: 1_500)) == .ok)
            }
        }
    }

    @Test("a call that outlasts the grace time is cut off")
    func grace() async throws {
        let adjust: (inout RPCServer.Configuration) -> Void = {
            $0.connectionAgeMax = .milliseconds(200)
            $0.connectionAgeGrace = .milliseconds(300)
        }
        try await withServer(adjust) { server in
            // Before the connection is made, whose age counts.
            let began = NIODeadline.now()
            try await withClient(server.port) { client in
                let status = await client.status(of: TestMethods.wait, Vessel_Vessel(capacity: 60_000))
                #expect(status.code == .unavailable)
                #expect(NIODeadline.now() - began >= .milliseconds(400))
                try await eventually("the handler's end") { server.log.cancelled == 1 }
            }
        }
    }

    @Test("two GOAWAYs say so: a request between them is served, and the connection ends after it")
    func twoSteps() async throws {
        try await withServer({ $0.connectionAgeMax = .milliseconds(300) }) { server in
            try await onThread {
                let peer = try RawPeer(port: server.port)
                peer.send(Frame.hello)
                var reader = FrameReader()
                let notice = peer.next(.goAway, &reader)
                #expect(notice?.payload.prefix(4) == [0x7f, 0xff, 0xff, 0xff])
                // The PING is not answered yet: this request is on its way, as far as the server can know.
                peer.send(Frame.request(1, "/test.Test/Echo").bytes + Frame.message(1, []).bytes)
                #expect(peer.next(.data, &reader, on: 1) != nil)
                let last = peer.next(.goAway, &reader)
                #expect(last?.payload.prefix(4) == [0, 0, 0, 1])
                #expect(peer.waitForEnd())
            }
        }
    }

    @Test("the PING of the graceful shutdown follows the first GOAWAY, so that its answer comes after it was read")
    func pingFollowsNotice() async throws {
        try await withServer({ $0.connectionAgeMax = .milliseconds(300) }) { server in
            try await onThread {
                let peer = try RawPeer(port: server.port)
                peer.send(Frame.hello)
                var reader = FrameReader()
                let goAway = Frame.Kind.goAway.rawValue
                let ping = Frame.Kind.ping.rawValue
                var kinds: [UInt8] = []
                for _ in 0..<3 {
                    let frame = peer.frame(&reader) { $0.kind == goAway || $0.kind == ping }
                    if let frame { kinds.append(frame.kind) }
                }
                // The PING is not answered: the last GOAWAY comes after a second.
                #expect(kinds == [goAway, ping, goAway])
            }
        }
    }

    @Test("ages differ by a tenth either way, so that connections made together do not end together")
    func jitter() {
        let ages = [0, 0.5, 0.999].map { ConnectionTimers.age(max: .seconds(300), random: $0) / .seconds(1) }
        #expect(abs(ages[0] - 270) < 0.1 && abs(ages[1] - 300) < 0.1 && ages[2] > 329 && ages[2] < 330, "\(ages)")
    }
}
