import Logging
import NIOCore
import RPC
import ServiceLifecycle
import Storage

/// Starts the store, which connects by itself in the background, waits until it is there, and closes it last of all.
final class StoreService: Service {
    private let store: any Store
    private let address: String
    private let prepare: @Sendable () async throws -> Void
    private let timeout: Duration?
    private let storeFailureGrace: Duration
    private let logger: Logger
    private let readiness: Readiness
    let opened = Gate()

    /// How long the store's calls may go on once all callers are gone.
    private static let closeTimeout: Duration = .seconds(3)
    /// How often the wait is looked at.
    private static let tickInterval: Duration = .milliseconds(200)
    /// How often a store that connects is looked at.
    private static let lookInterval: Duration = .milliseconds(20)
    /// How long one try waits before it reports what it waits for.
    private static let tryTimeout: Duration = .seconds(1)

    /// - Parameters:
    ///   - address: for logs; without user, password or options.
    ///   - timeout: how long to wait for the store; `nil` for ever.
    ///   - storeFailureGrace: how long a store may deny access.
    ///   - prepare: runs once the store is ready and before it counts as open; tried again when it fails.
    init(
        _ store: any Store, address: String, timeout: Duration?, storeFailureGrace: Duration, logger: Logger,
        readiness: Readiness, prepare: @escaping @Sendable () async throws -> Void
    ) {
        self.store = store
        self.address = address
        self.prepare = prepare
        self.timeout = timeout
        self.storeFailureGrace = storeFailureGrace
        self.logger = logger
        self.readiness = readiness
    }

    /// The store as a thing that must be well.
    var check: ReadinessCheck {
        ReadinessCheck("store") { [store, opened] in
            guard opened.isOpen else { return "not reached yet" }
            return store.isReady ? nil : store.lastError ?? "no connection"
        }
    }

    func run() async throws {
        do {
            try store.start()
        } catch {
            throw ProgramFailure("the store at \(address) can't start: \(error)")
        }
        let attempts = Task { await self.attempt() }
        do {
            try await cancelWhenGracefulShutdown { try await self.waitUntilOpen() }
        } catch is CancellationError {
            // Asked to stop while waiting, which is no failure.
            attempts.cancel()
            await attempts.value
            await close()
            return
        } catch {
            // No wait for the attempt: the process is about to end, and what hangs must not keep it.
            attempts.cancel()
            throw error
        }
        logger.info("the store is open", metadata: ["address": "\(address)"])
        opened.open()
        // Ready at once, not only after the next look.
        readiness.record(check.name, nil, at: .now())
        try? await gracefulShutdown()
        await close()
    }

    /// Closes the store, but does not wait for one that hangs: by now nobody waits for its answers any more.
    private func close() async {
        let outcome = AsyncStream<Bool>.makeStream()
        Task { [store] in
            await store.shutdown()
            outcome.continuation.yield(true)
        }
        let limit = Task {
            try await Task.sleep(for: Self.closeTimeout)
            outcome.continuation.yield(false)
        }
        defer { limit.cancel() }
        for await isClosed in outcome.stream {
            guard !isClosed else { return }
            logger.warning("the store hangs and is left", metadata: ["address": "\(address)"])
            return
        }
    }

    private enum Event: Sendable {
        case opened
        case wait(StoreWait.Event)
    }

    private let events = AsyncStream<Event>.makeStream(bufferingPolicy: .bufferingNewest(64))

    private func attempt() async {
        var failures = 0
        while !Task.isCancelled {
            guard let failure = await open() else {
                events.continuation.yield(.opened)
                return
            }
            events.continuation.yield(.wait(failure))
            try? await Task.sleep(for: StoreWait.retryDelay(failures))
            failures += 1
        }
    }

    /// Waits for a connection, which the store's threads make by themselves, and prepares the store.
    ///
    /// - Returns: `nil` when the store is open, else what to report.
    private func open() async -> StoreWait.Event? {
        let deadline = Deadline.after(Self.tryTimeout)
        while !store.isReady {
            if let failure = store.permanentFailure { return .failedPermanently(failure) }
            if deadline.isExpired { return .failed(reason: store.lastError ?? "no answer yet") }
            try? await Task.sleep(for: Self.lookInterval)
            if Task.isCancelled { return .tick }
        }
        do {
            try await prepare()
            return nil
        } catch {
            return .failed(reason: "\(error)")
        }
    }

    private func waitUntilOpen() async throws {
        var wait = StoreWait(
            address: address, timeout: timeout, storeFailureGrace: storeFailureGrace, start: .now())
        let ticks = Task { [continuation = events.continuation] in
            while !Task.isCancelled {
                try await Task.sleep(for: Self.tickInterval)
                continuation.yield(.wait(.tick))
            }
        }
        defer { ticks.cancel() }
        for await event in events.stream {
            switch event {
            case .opened:
                return
            case .wait(let event):
                switch wait.handle(event, at: .now()) {
                case .nothing: break
                case .log(let line): logger.warning("\(line)")
                case .giveUp(let line): throw ProgramFailure(line)
                }
            }
        }
        throw CancellationError()
    }
}
