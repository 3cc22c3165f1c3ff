import Contracts
import Logging
import NIOPosix
import RPC
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import Runtime

@Suite("The exporter of all telemetry", .timeLimit(.minutes(10)))
struct ExporterTests {
    /// Numbers that wait, and a collector that answers as the test says.
    private final class FakeQueue: ExportQueue {
        struct State {
            var waiting: [Int] = []
            var sent: [[Int]] = []
            var dropped = 0
            var failure: Status.Code?
            var rejected = 0
            var tries = 0
        }

        let state = Mutex(State())

        func collect() {}
        func takeBatch() -> [Int] {
            state.withLock { state in
                let batch = Array(state.waiting.prefix(2))
                state.waiting.removeFirst(batch.count)
                return batch
            }
        }
        var hasFullBatch: Bool { count >= 2 }
        var count: Int { state.withLock { $0.waiting.count } }
        var dropped: Int { state.withLock { $0.dropped } }
        var sent: [[Int]] { state.withLock { $0.sent } }

        func send(
            _ batch: [Int], by client: RPCClient, _ headers: Metadata, _ deadline: Deadline
        ) async throws -> Otlp_ExportResponse {
            try state.withLock { state in
                state.tries += 1
                if let failure = state.failure { throw Status(failure, "as the test says") }
                state.sent.append(batch)
                var response = Otlp_ExportResponse()
                response.partialSuccess.rejectedItems = Int64(state.rejected)
                return response
            }
        }
    }

    /// Runs an exporter until `body` is through, and then to its end.
    private func run(
        _ queue: FakeQueue, delay: Duration, _ log: LogCapture, _ registry: MetricsRegistry = MetricsRegistry(),
        _ body: () async throws -> Void
    ) async throws {
        let client = RPCClient(
            configuration: RPCClient.Configuration(target: HostPort(host: "127.0.0.1", port: 1)),
            group: MultiThreadedEventLoopGroup.singleton, logger: log.logger())
        let exporter = Exporter(
            .logs, ExportSettings(), delay: delay, queue: queue, client: client, wakeup: ExportWakeup(),
            logger: log.logger())
        exporter.register(in: registry)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: [exporter], logger: LogCapture().logger()))
        let running = Task { try await group.run() }
        let outcome = await Result(catching: body)
        await group.triggerGracefulShutdown()
        try await running.value
        try outcome.get()
    }

    @Test("batches go out when their time has come, and what waits at the end goes out before it")
    func flush() async throws {
        let queue = FakeQueue()
        queue.state.withLock { $0.waiting = [1, 2, 3, 4, 5] }
        try await run(queue, delay: .seconds(3_600), LogCapture()) {
            try await Task.sleep(for: .milliseconds(300))
            #expect(queue.sent.isEmpty)
        }
        #expect(queue.sent == [[1, 2], [3, 4], [5]])

        let soon = FakeQueue()
        let registry = MetricsRegistry()
        try await run(soon, delay: .milliseconds(10), LogCapture(), registry) {
            soon.state.withLock { $0.waiting = [1, 2, 3] }
            try await eventually("all of them") { soon.sent.joined().count == 3 }
        }
        #expect(registry.render().contains("logs_records_exported_total 3\n"))
    }

    @Test("a collector that is away is tried again, and said so once when it goes and when it comes back")
    func retry() async throws {
        let queue = FakeQueue()
        let log = LogCapture()
        queue.state.withLock {
            $0.failure = .unavailable
            $0.waiting = [1]
        }
        try await run(queue, delay: .milliseconds(10), log) {
            try await eventually("a second try") { queue.state.withLock { $0.tries } >= 2 }
            queue.state.withLock { $0.failure = nil }
            try await eventually("the batch") { queue.sent == [[1]] }
        }
        #expect(log.text.occurrences(of: "logs can't be exported") == 1)
        #expect(log.text.occurrences(of: "logs are exported again") == 1)
    }

    @Test("what is refused for good is not tried again, and is counted like what a collector rejects")
    func failure() async throws {
        let queue = FakeQueue()
        let registry = MetricsRegistry()
        queue.state.withLock {
            $0.failure = .invalidArgument
            $0.waiting = [1, 2]
        }
        try await run(queue, delay: .milliseconds(10), LogCapture(), registry) {
            try await eventually("a try") { queue.state.withLock { $0.tries } == 1 && queue.count == 0 }
            queue.state.withLock {
                $0.failure = nil
                $0.rejected = 1
                $0.waiting = [3, 4]
            }
            try await eventually("the next batch") { queue.sent == [[3, 4]] }
        }
        #expect(queue.state.withLock { $0.tries } == 2)
        #expect(registry.render().contains("logs_records_failed_total 3\n"))
        #expect(registry.render().contains("logs_records_exported_total 1\n"))
    }

    @Test("what finds the queue full is said once, and counted")
    func dropped() async throws {
        let queue = FakeQueue()
        let log = LogCapture()
        let registry = MetricsRegistry()
        try await run(queue, delay: .milliseconds(10), log, registry) {
            queue.state.withLock { $0.dropped = 50 }
            for number in 1...5 {
                queue.state.withLock { $0.waiting = [number] }
                try await eventually("batch \(number)") { queue.sent.count == number }
            }
            #expect(registry.render().contains("logs_records_dropped_total 50\n"))
        }
        #expect(log.text.occurrences(of: "logs are dropped from the export") == 1)
    }

    @Test("a collector that is away does not hold up the end for longer than the flush may take")
    func away() async throws {
        let queue = FakeQueue()
        queue.state.withLock {
            $0.failure = .unavailable
            $0.waiting = [1, 2, 3]
        }
        let clock = ContinuousClock()
        let began = clock.now
        try await run(queue, delay: .milliseconds(10), LogCapture()) {
            try await eventually("a try") { queue.state.withLock { $0.tries } > 0 }
        }
        #expect(clock.now - began < ExportLimits.flushTimeout + .seconds(10))
        #expect(queue.count == 0)
    }
}

extension String {
    /// How often a text occurs.
    fileprivate func occurrences(of text: String) -> Int { ranges(of: text).count }
}
