import NIOCore
import RPC
import Synchronization
import Traces
import Tracing

/// A call on its way through a pool, whatever it answers.
///
/// It does not say what the pool's connections are, so that the queues of all pools are of one type, which the compiler
/// knows: work under a queue's lock then needs no generic type at run time.
protocol PoolJob: AnyObject, PoolQueueable, Sendable {
    /// Runs the call on a worker, unless its caller has gone or its time is over, and keeps the outcome.
    ///
    /// - Parameter connection: of the type that the pool's connections are of.
    /// - Returns: the error, when the call failed.
    func execute(_ connection: AnyObject, now: NIODeadline) -> (any Error)?

    /// Answers the caller with the outcome, unless it was answered before.
    func complete()

    /// Answers the caller with `error`, unless it was answered before.
    func fail(_ error: any Error)
}

/// One call of ``ConnectionPool/run(deadline:_:)``: the only allocation that a call costs besides its closure.
///
/// Why `@unchecked Sendable` holds, and why the continuation is resumed once:
/// - `continuation` is written once, in `arm`, before `state` becomes `.waiting` with release order. It is read only by
///   the party that moved `state` from `.waiting` to `.answered` (acquire order), and there is one such party.
/// - `outcome` and `span` are touched by one worker only: the queue hands a job to one worker, which executes and then
///   completes it.
final class QueuedCall<Connection: AnyObject, Value: Sendable>: PoolJob, @unchecked Sendable {
    private enum State {
        /// No continuation yet. → `waiting` by `arm`, → `answered` by `abandon`.
        static var new: UInt8 { 0 }
        /// → `answered`, by whoever is first.
        static var waiting: UInt8 { 1 }
        static var answered: UInt8 { 2 }
    }

    private let deadline: Deadline
    private let body: @Sendable (Connection) throws -> Value
    /// `nil` for calls of no recorded trace.
    private let trace: PoolCallTrace?
    private var span: TraceSpan?
    private let state = Atomic<UInt8>(State.new)
    private var continuation: UnsafeContinuation<Value, any Error>?
    private var outcome: Result<Value, any Error>?

    init(deadline: Deadline, trace: PoolCallTrace? = nil, body: @escaping @Sendable (Connection) throws -> Value) {
        self.deadline = deadline
        self.trace = trace
        self.body = body
    }

    /// - Returns: false when the caller went away before; it has then been answered.
    func arm(_ continuation: UnsafeContinuation<Value, any Error>) -> Bool {
        self.continuation = continuation
        if exchange(from: State.new, to: State.waiting) { return true }
        continuation.resume(throwing: departure)
        return false
    }

    /// The caller's task was cancelled: it is answered now, whatever the driver is doing.
    ///
    /// - Returns: whether it had been waiting.
    func abandon() -> Bool {
        if exchange(from: State.new, to: State.answered) { return false }
        return answer(.failure(departure))
    }

    var isAbandoned: Bool { state.load(ordering: .relaxed) == State.answered }

    func execute(_ connection: AnyObject, now: NIODeadline) -> (any Error)? {
        if isAbandoned { return nil }
        if deadline.instant <= now {
            outcome = .failure(Self.expired)
            return nil
        }
        do {
            // A pool makes calls for its own connections only, and its threads execute them on those.
            outcome = .success(try run(unsafeDowncast(connection, to: Connection.self)))
            return nil
        } catch {
            outcome = .failure(error)
            return error
        }
    }

    private func run(_ connection: Connection) throws -> Value {
        guard let trace else { return try body(connection) }
        trace.taken()
        span = trace.beginCall()
        return try PoolCallTrace.$current.withValue(trace) { try body(connection) }
    }

    func complete() {
        guard let outcome else { return }
        if let span { Self.end(span, outcome) }
        _ = answer(outcome)
    }

    private static func end(_ span: TraceSpan, _ outcome: Result<Value, any Error>) {
        switch outcome {
        case .success(let value):
            if let failure = (value as? any TracedOutcome)?.failure {
                span.end(failedWith: failure)
            } else {
                span.end()
            }
        case .failure(let error): span.end(error)
        }
    }

    func fail(_ error: any Error) {
        span?.end(error)
        _ = answer(.failure(error))
    }

    private func answer(_ outcome: Result<Value, any Error>) -> Bool {
        guard exchange(from: State.waiting, to: State.answered), let continuation else { return false }
        continuation.resume(with: outcome)
        return true
    }

    private func exchange(from old: UInt8, to new: UInt8) -> Bool {
        state.compareExchange(expected: old, desired: new, ordering: .acquiringAndReleasing).exchanged
    }

    /// A task is cancelled at the call's deadline, or because its caller went away.
    private var departure: any Error {
        deadline.isExpired ? Self.expired : CancellationError()
    }

    private static var expired: Status {
        Status(.deadlineExceeded, "the deadline passed while the call waited for the store")
    }
}
