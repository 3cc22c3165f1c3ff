import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// Opens the store, keeps at it until it is there, and closes it last of all.
final class StoreService: Service {
    private let store: any StoreLifecycle
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

    /// - Parameters:
    ///   - timeout: how long to wait for the store; `nil` for ever.
    ///   - storeFailureGrace: how long a ``StorePermanentFailure`` with a grace period may last.
    ///   - prepare: runs after the store opened and before it counts as open; tried again when it fails.
    init(
        _ store: any StoreLifecycle, timeout: Duration?, storeFailureGrace: Duration, logger: Logger,
        readiness: Readiness, prepare: @escaping @Sendable () async throws -> Void
    ) {
        self.store = store
        self.prepare = prepare
        self.timeout = timeout
        self.storeFailureGrace = storeFailureGrace
        self.logger = logger
        self.readiness = readiness
    }

    /// The store as a thing that must be well.
    var check: ReadinessCheck {
        ReadinessCheck("store") { [store, opened] in
            opened.isOpen ? await store.check() : "not reached yet"
        }
    }

    func run() async throws {
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
        logger.info("the store is open", metadata: ["address": "\(store.storeAddress)"])
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
            await store.close()
            outcome.continuation.yield(true)
        }
        let limit = Task {
            try await Task.sleep(for: Self.closeTimeout)
            outcome.continuation.yield(false)
        }
        defer { limit.cancel() }
        for await isClosed in outcome.stream {
            guard !isClosed else { return }
            logger.warning("the store hangs and is left", metadata: ["address": "\(store.storeAddress)"])
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
        var isOpen = false
        while !Task.isCancelled {
            do {
                if !isOpen { try await store.open() }
                isOpen = true
                try await prepare()
                events.continuation.yield(.opened)
                return
            } catch let failure as StorePermanentFailure {
                events.continuation.yield(.wait(.failedPermanently(failure)))
                if !failure.hasGracePeriod { return }
            } catch {
                events.continuation.yield(.wait(.failed(reason: "\(error)")))
            }
            try? await Task.sleep(for: StoreWait.retryDelay(failures))
            failures += 1
        }
    }

    private func waitUntilOpen() async throws {
        var wait = StoreWait(
            address: store.storeAddress, timeout: timeout, storeFailureGrace: storeFailureGrace, start: .now())
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
