import Contracts
import Logging
import NIOCore
import NIOPosix
import RPC
import Storage
import Synchronization
import TestSupport
import Testing

@testable import Runtime

@Suite("A program's life")
struct ServiceRunnerTests {
    /// What happened, in order.
    private final class Journal: Sendable {
        private let lines = Mutex<[String]>([])
        var all: [String] { lines.withLock { $0 } }
        func record(_ line: String) { lines.withLock { $0.append(line) } }
    }

    private struct FakeListener: Listener {
        let journal: Journal
        let readiness: Readiness

        func start() async throws -> SocketAddress {
            journal.record("front started")
            return try SocketAddress(ipAddress: "127.0.0.1", port: 1)
        }

        func drain(timeout: Duration) async {
            journal.record("front drained in \(timeout), draining: \(readiness.report().isDraining)")
        }
    }

    private struct FakeStore: Store {
        let journal: Journal
        var failure: @Sendable () -> StorageError? = { nil }

        func start() { journal.record("store started") }
        func shutdown() async { journal.record("store closed") }
        var isReady: Bool { failure() == nil }
        var lastError: String? { failure()?.message }
        var permanentFailure: StorageError? { failure().flatMap { $0.isPermanentFailure ? $0 : nil } }
        var statistics: [PoolStatistics] { [] }
    }

    private static let unreachable = StorageError(.connectionLost, "connection refused")

    private static func parts(
        _ front: FakeListener, _ store: FakeStore, prepare: @escaping @Sendable () async throws -> Void = {}
    ) -> ServiceParts {
        ServiceParts(front: front, store: store, storeAddress: "fake:1", prepare: prepare)
    }

    private func withRuntime(
        _ change: (inout ServiceConfiguration) -> Void = { _ in }, _ body: (ServiceRuntime) async throws -> Void
    ) async throws {
        let anywhere = HostPort(host: "127.0.0.1", port: 0)
        var configuration = ServiceConfiguration(address: anywhere, adminAddress: anywhere)
        change(&configuration)
        let levels = LogLevelSwitch(.critical)
        let logger = Logger(label: "test") {
            LineLogHandler(service: "test", label: $0, output: LogOutput(descriptor: 1, style: .json), levels: levels)
        }
        let runtime = try ServiceRuntime(
            name: "test", configuration: configuration, environment: [:], logger: logger, logLevels: levels,
            metrics: MetricsRegistry())
        do {
            try await body(runtime)
        } catch {
            await runtime.stop()
            throw error
        }
        await runtime.stop()
    }

    @Test("a signal makes it unready, drains the front, then closes the store", .timeLimit(.minutes(10)))
    func order() async throws {
        try await withRuntime { runtime in
            let journal = Journal()
            let (signals, sender) = AsyncStream<Int32>.makeStream()
            let front = FakeListener(journal: journal, readiness: runtime.readiness)
            let parts = Self.parts(front, FakeStore(journal: journal)) { journal.record("prepared") }
            let run = Task { try await ServiceRunner(runtime: runtime, parts: parts).run(signals: signals) }
            try await eventually("ready") { runtime.readiness.report().isReady }
            sender.yield(15)
            try await run.value
            let lines = journal.all.filter { $0 != "front started" }
            #expect(
                lines == ["store started", "prepared", "front drained in 20.0 seconds, draining: true", "store closed"])
        }
    }

    @Test("it listens while the store is away, is not ready, and becomes ready by itself", .timeLimit(.minutes(10)))
    func waits() async throws {
        try await withRuntime { runtime in
            let journal = Journal()
            let isThere = Atomic(false)
            let (signals, sender) = AsyncStream<Int32>.makeStream()
            let store = FakeStore(journal: journal) { isThere.load(ordering: .relaxed) ? nil : Self.unreachable }
            let front = FakeListener(journal: journal, readiness: runtime.readiness)
            let run = Task {
                try await ServiceRunner(runtime: runtime, parts: Self.parts(front, store))
                    .run(signals: signals)
            }
            try await eventually("listening") { journal.all.contains("front started") }
            try await eventually("checked") {
                runtime.readiness.report().checks == [.init(name: "store", reason: "not reached yet")]
            }
            isThere.store(true, ordering: .relaxed)
            try await eventually("ready") { runtime.readiness.report().isReady }
            sender.yield(15)
            try await run.value
        }
    }

    @Test("a signal while it waits for the store ends it in order", .timeLimit(.minutes(10)))
    func signalWhileWaiting() async throws {
        try await withRuntime { runtime in
            let journal = Journal()
            let (signals, sender) = AsyncStream<Int32>.makeStream()
            let front = FakeListener(journal: journal, readiness: runtime.readiness)
            let parts = Self.parts(front, FakeStore(journal: journal) { Self.unreachable })
            let run = Task { try await ServiceRunner(runtime: runtime, parts: parts).run(signals: signals) }
            try await eventually("listening") { journal.all.contains("front started") }
            sender.yield(2)
            try await run.value
            #expect(journal.all.last == "store closed")
        }
    }

    @Test("a store that denies access for a while is waited for, one that goes on ends it", .timeLimit(.minutes(10)))
    func deniedAccess() async throws {
        try await withRuntime { runtime in
            let journal = Journal()
            let isKnown = Atomic(false)
            let (signals, sender) = AsyncStream<Int32>.makeStream()
            let store = FakeStore(journal: journal) {
                isKnown.load(ordering: .relaxed) ? nil : StorageError(.accessDenied, "wrong password")
            }
            let front = FakeListener(journal: journal, readiness: runtime.readiness)
            let run = Task {
                try await ServiceRunner(runtime: runtime, parts: Self.parts(front, store))
                    .run(signals: signals)
            }
            try await eventually("checked") {
                runtime.readiness.report().checks == [.init(name: "store", reason: "not reached yet")]
            }
            isKnown.store(true, ordering: .relaxed)
            try await eventually("ready") { runtime.readiness.report().isReady }
            sender.yield(15)
            try await run.value
        }
        try await withRuntime({ $0.storeFailureGrace = .milliseconds(500) }) { runtime in
            let journal = Journal()
            let (signals, _) = AsyncStream<Int32>.makeStream()
            let front = FakeListener(journal: journal, readiness: runtime.readiness)
            let store = FakeStore(journal: journal) { StorageError(.accessDenied, "wrong password") }
            let began = NIODeadline.now()
            await #expect(throws: ProgramFailure("the store at fake:1 refuses: wrong password")) {
                try await ServiceRunner(runtime: runtime, parts: Self.parts(front, store))
                    .run(signals: signals)
            }
            #expect(NIODeadline.now() - began >= .milliseconds(450))
        }
    }

    @Test("a store that refuses ends it at once, one that stays away after the time given", .timeLimit(.minutes(10)))
    func failures() async throws {
        // A try that fails says so after a second.
        let cases = [
            (StorageError(.unusable, "not a database"), "the store at fake:1 refuses: not a database"),
            (Self.unreachable, "the store at fake:1 was not there within 1.5 seconds: connection refused"),
        ]
        for (error, complaint) in cases {
            try await withRuntime({ $0.storeTimeout = .milliseconds(1_500) }) { runtime in
                let journal = Journal()
                let (signals, _) = AsyncStream<Int32>.makeStream()
                let front = FakeListener(journal: journal, readiness: runtime.readiness)
                let parts = Self.parts(front, FakeStore(journal: journal) { error })
                await #expect(throws: ProgramFailure(complaint)) {
                    try await ServiceRunner(runtime: runtime, parts: parts).run(signals: signals)
                }
            }
        }
    }

    @Test("an address that is taken is named with the reason", .timeLimit(.minutes(10)))
    func addressTaken() async throws {
        let holder = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(holder.localAddress?.port)
        try await withRuntime({ $0.address = HostPort(host: "127.0.0.1", port: port) }) { runtime in
            let (signals, _) = AsyncStream<Int32>.makeStream()
            let parts = ServiceParts(front: runtime.rpcServer([]))
            let complaint = "can't listen on 127.0.0.1:\(port) for calls: address already in use"
            await #expect(throws: ProgramFailure(complaint)) {
                try await ServiceRunner(runtime: runtime, parts: parts).run(signals: signals)
            }
        }
        try await holder.close()
    }
}
