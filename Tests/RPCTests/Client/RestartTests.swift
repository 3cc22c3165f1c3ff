import Contracts
import NIOConcurrencyHelpers
import NIOCore
import TestSupport
import Testing

@testable import RPC

/// The only server of a service stops and starts again.
@Suite("A service that restarts", .turns)
struct RestartTests {
    @Test("five restarts under load, 0.3 s each, lose no idempotent call", arguments: [1, 2, 8])
    func underLoad(loops: Int) async throws {
        let port = try Ports.free()
        var server = try await TestServer.start(port: port)
        try await withLoops(loops, port) { client in
            let isOver = NIOLockedValueBox(false)
            let answered = Counter()
            let callers = (0..<32).map { _ in
                Task {
                    var failures: [Status] = []
                    while !isOver.withLockedValue({ $0 }) {
                        let status = await client.status(of: TestMethods.idempotentEcho)
                        if status == .ok { answered.increment() } else { failures.append(status) }
                    }
                    return failures
                }
            }
            for _ in 0..<5 {
                let before = answered.value
                try await eventually("calls that are answered") { answered.value > before + 200 }
                await server.stop()
                try await Task.sleep(for: .milliseconds(300))
                server = try await TestServer.start(port: port)
            }
            let before = answered.value
            try await eventually("calls that are answered") { answered.value > before + 200 }
            isOver.withLockedValue { $0 = true }
            for caller in callers {
                let failures = await caller.value
                #expect(failures.isEmpty, "\(failures.count): \(failures.prefix(3))")
            }
        }
        await server.stop()
    }

    @Test("each call in flight is retried once, even if there are more than the budget allows")
    func burst() async throws {
        let calls = 400
        let (first, second) = (Counter(), Counter())
        // The first connection takes all calls and closes; the next ones answer all.
        let server = try FakeServer { number, peer in
            var reader = FrameReader()
            var stream = try peer.acceptRequest(&reader, settings: .settings([(id: 3, value: 1_000)]))
            while true {
                if number == 0 {
                    guard first.increment() < calls else {
                        peer.end()
                        return
                    }
                } else {
                    second.increment()
                    peer.send(Frame.emptyAnswer(stream))
                }
                stream = try peer.nextRequest(&reader)
            }
        }
        try await withLoops(1, server.port) { client in
            let pending = (0..<calls).map { _ in Task { await client.status(of: TestMethods.idempotentEcho) } }
            var failures: [Status] = []
            for call in pending {
                let status = await call.value
                if status != .ok { failures.append(status) }
            }
            #expect(failures.isEmpty, "\(failures.count): \(failures.prefix(3))")
        }
        #expect(first.value == calls)
        #expect(second.value == calls)
        server.stop()
    }

    @Test("a server that dies of each call gets each call a bounded number of times")
    func deadly() async throws {
        let (calls, seen) = (100, Counter())
        let server = try FakeServer { _, peer in
            var reader = FrameReader()
            peer.send(Frame.settings().bytes)
            guard peer.next(.headers, &reader) != nil else { return }
            seen.increment()
            // And those that arrived with it.
            _ = peer.frame(&reader, patience: 0.02) { frame in
                if frame.kind == Frame.Kind.headers.rawValue { seen.increment() }
                return false
            }
            peer.end()
        }
        try await withLoops(1, server.port) { client in
            for _ in 0..<calls / 20 {
                await withTaskGroup(of: Void.self) { tasks in
                    for _ in 0..<20 {
                        tasks.addTask { _ = await client.status(of: TestMethods.idempotentEcho, within: .seconds(3)) }
                    }
                }
            }
        }
        // One attempt per call, one more for each, and the budget with what the calls add to it.
        #expect(seen.value <= 2 * calls + 100 + calls / 10, "\(seen.value)")
        server.stop()
    }

    @Test("a retried call that surely was not sent is retried again; one that may have been processed is not")
    func retries() async throws {
        for isProcessed in [true, false] {
            let count = Counter()
            let server = try FakeServer { number, peer in
                var reader = FrameReader()
                var stream = try peer.acceptRequest(&reader)
                count.increment()
                if number == 0 {
                    if !isProcessed { peer.send(Frame.goAway(last: 0).bytes) }
                    peer.end()
                    return
                }
                while true {
                    peer.send(Frame.emptyAnswer(stream))
                    stream = try peer.nextRequest(&reader)
                }
            }
            try await withLoops(1, server.port) { client in
                let status = await client.status(
                    of: TestMethods.idempotentEcho, metadata: ["grpc-previous-rpc-attempts": "1"])
                #expect(status.code == (isProcessed ? .unavailable : .ok), "\(status)")
            }
            #expect(count.value == (isProcessed ? 1 : 2))
            server.stop()
        }
    }
}
