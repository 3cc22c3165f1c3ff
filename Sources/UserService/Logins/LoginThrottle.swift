import Storage
import Synchronization

/// Slows down logins that follow failed ones, before anything is looked up or hashed; see ``LoginLimits``.
///
/// It treats unknown emails like all others, so that its answers reveal nothing. Rejected logins do not count: a retry
/// that comes too early does not prolong the wait. In memory only: each replica counts for itself, and a restart
/// forgets everything.
final class LoginThrottle: Sendable {
    private typealias State = LoginThrottleState<CheckedContinuation<Turn, Never>>

    /// A login that was let through. It must be ended by one of ``succeeded(_:)``, ``failed(_:)`` and ``cancel(_:)``.
    struct Attempt: Sendable {
        fileprivate let keys: LoginKeys
    }

    /// How a wait in a queue ended.
    private enum Turn: Sendable {
        case decided(LoginDecision)
        case cancelled
    }

    private let now: @Sendable () -> ContinuousClock.Instant
    private let sleep: @Sendable (Duration) async throws -> Void
    private let state: Monitor<State>
    private let rejections = Atomic(0)
    private let delays = Atomic(0)

    /// - Parameters:
    /// - sleep: returns after the given time; throws when the task is cancelled.
    init(
        _ limits: LoginLimits = LoginLimits(), now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.now = now
        self.sleep = sleep
        state = Monitor(State(limits))
    }

    /// Number of rejected logins, for a metric.
    var rejectionCount: Int { rejections.load(ordering: .relaxed) }
    /// Number of delayed logins, for a metric.
    var delayCount: Int { delays.load(ordering: .relaxed) }
    /// Number of logins that wait now.
    var waitingCount: Int { state.withLock { $0.waiting } }

    /// Begins a login, after those of the same account and address that are in progress and might be guesses.
    ///
    /// - Parameter email: the account's email; case does not matter.
    /// - Throws: ``UserError/tooManyTries(seconds:)``, `CancellationError`.
    func begin(email: String, from address: CallerAddress) async throws -> Attempt {
        let attempt = Attempt(keys: Self.keys(email, address))
        var decision = decide(attempt)
        if decision == .wait { decision = try await waitInQueue(attempt) }
        switch decision {
        case .begin(let delay):
            if delay > .zero { try await hold(attempt, delay) }
            return attempt
        case .wait: throw CancellationError()  // A login that waited is not told to wait again.
        case .reject(let wait):
            rejections.add(1, ordering: .relaxed)
            throw UserError.tooManyTries(seconds: max(1, Int((wait / .seconds(1)).rounded(.up))))
        }
    }

    /// The password was right: forgets the failures of the account from this address.
    func succeeded(_ attempt: Attempt) { end(attempt, .succeeded) }

    /// The password was wrong.
    func failed(_ attempt: Attempt) { end(attempt, .failed) }

    /// The password was not compared, because of an error: the login does not count.
    func cancel(_ attempt: Attempt) { end(attempt, .cancelled) }

    private func decide(_ attempt: Attempt) -> LoginDecision {
        let now = now()
        return state.withLock { $0.begin(attempt.keys, now: now) }
    }

    private func end(_ attempt: Attempt, _ outcome: LoginOutcome) {
        let now = now()
        let decided = state.withLock { $0.end(attempt.keys, outcome, now: now) }
        for (waiter, decision) in decided { waiter.resume(returning: .decided(decision)) }
    }

    private func waitInQueue(_ attempt: Attempt) async throws -> LoginDecision {
        let ticket = Mutex<Int?>(nil)
        let turn = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now = now()
                let turn: Turn? = state.withLock { state in
                    // A cancellation before this point found no waiter to resume.
                    if Task.isCancelled { return .cancelled }
                    let decision = state.begin(attempt.keys, now: now)
                    guard decision == .wait else { return .decided(decision) }
                    let number = state.wait(attempt.keys, continuation)
                    ticket.withLock { $0 = number }
                    return nil
                }
                if let turn { continuation.resume(returning: turn) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                ticket.withLock { $0 }.flatMap { state.remove(attempt.keys, $0) }
            }
            waiter?.resume(returning: .cancelled)
        }
        switch turn {
        case .decided(let decision): return decision
        case .cancelled: throw CancellationError()
        }
    }

    private func hold(_ attempt: Attempt, _ delay: Duration) async throws {
        delays.add(1, ordering: .relaxed)
        do {
            defer { state.withLock { $0.endDelay(attempt.keys) } }
            try await sleep(delay)
        } catch {
            cancel(attempt)
            throw error
        }
    }

    /// Keys by Swift's hash, whose seed differs in each process, so that colliding keys can't be searched for.
    private static func keys(_ email: String, _ address: CallerAddress) -> LoginKeys {
        let (who, place) = (hash(Array(FoldedEmail.of(email).utf8)), hash(address.bytes))
        var hasher = Hasher()
        hasher.combine(who)
        hasher.combine(place)
        return LoginKeys(pair: UInt64(bitPattern: Int64(hasher.finalize())), account: who, address: place)
    }

    /// Hashes the bytes: comparing texts by canonical equivalence would cost far more.
    private static func hash(_ bytes: [UInt8]) -> UInt64 {
        var hasher = Hasher()
        bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}
