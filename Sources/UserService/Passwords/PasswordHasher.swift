import Logging
import NIOCore
import RPC
import Storage
import Synchronization

/// Hashes passwords on threads of its own, behind a bounded queue: they take what processors have to spare, so that a flood
/// of logins slows logins and sign-ups, and nothing else. Only a hash that this has held up for over a second is made beside
/// other work at the same priority (``BcryptWorker``).
///
/// The threads run between `start` and `shutdown` of ``pool``.
final class PasswordHasher: Sendable {
    /// What comparing a password with a stored hash says.
    enum Verdict: Sendable {
        case matches
        case differs
        /// What is stored is no hash; nobody can log in with it.
        case malformed
    }

    /// Calls that may wait for each thread: half a second's worth.
    static let queuedPerThread = 10
    /// How long they may wait when processors have little to spare, if their callers wait for as long. A hash beside other
    /// work takes a second or two; calls through the gateway end after its 5 s.
    static let waitMax: Duration = .seconds(8)
    /// A caller is told so long before its deadline that its hash is not made in time: shed, with nothing done, rather
    /// than left with a call that timed out.
    private static let noticeTime: Duration = .milliseconds(200)
    /// When to come back after the queue was full.
    static let retryAfterSeconds = 1

    /// Compared with where there is no user: a hash of no password that anybody knows, of the cost of all others.
    private static let nobody = "$2b$10$/74NI6b0YeA8CLDmVDm4QeoMoGVzM.pq3b14uaCqZJlMrk/cZbHXK"

    let pool: ConnectionPool<BcryptWorker>
    private let nobody: BcryptHash?
    private let runs = Atomic(0)

    /// Starts nothing yet.
    ///
    /// - Parameters:
    ///   - threads: hashes at the same time; one for each processor, as they yield to everything else at first.
    ///   - idleWaitMax: how long one may wait for a processor that is free, before it is made beside other work.
    init(
        threads: Int = PasswordHasher.threadsStandard, queuedPerThread: Int = queuedPerThread,
        idleWaitMax: TimeAmount = BcryptWorker.idleWaitMax, logger: Logger
    ) {
        var configuration = PoolConfiguration(name: "passwords", threads: threads)
        configuration.queueCapacity = queuedPerThread * threads
        configuration.waitMax = Self.waitMax
        configuration.tracing = .calls(name: "bcrypt", kind: .internal, attributes: [:])
        pool = ConnectionPool(configuration, logger: logger) { BcryptWorker(idleWaitMax: idleWaitMax) }
        nobody = BcryptHash(Self.nobody)
    }

    /// Processors that this process may use: by its container's limit, where there is one, as event loops are counted.
    static var threadsStandard: Int { System.coreCount }

    /// Times that a password was put through bcrypt, for a metric.
    var runCount: Int { runs.load(ordering: .relaxed) }

    /// The hash to store for a new password.
    ///
    /// - Parameter password: 1 to 72 bytes without NUL.
    /// - Throws: RESOURCE_EXHAUSTED when too many wait and 0.2 s before the deadline, DEADLINE_EXCEEDED where it has passed
    ///   already, UNAVAILABLE while stopping.
    func hash(_ password: String, deadline: Deadline) async throws -> String {
        try await run(deadline) { try $0.hash(password).text }
    }

    /// Compares a password with what is stored for its user.
    ///
    /// It takes as long where there is no user or a malformed hash as it does for a hash of ``BcryptHash/cost``; only a
    /// hash of another cost, which this service never makes, takes another time.
    /// - Parameters:
    /// - password: without NUL. One of more than ``BcryptHash/passwordBytesMax`` bytes matches no hash that this
    ///   service made, as it accepts none; bcrypt alone would accept every password that begins with the same bytes.
    ///   - stored: `nil` where there is no user.
    /// - Throws: as ``hash(_:deadline:)``.
    func compare(_ password: String, with stored: String?, deadline: Deadline) async throws -> Verdict {
        let hash = stored.flatMap(BcryptHash.init)
        guard let compared = hash ?? nobody else { return .malformed }
        let matches = try await run(deadline) { $0.matches(password, compared) }
        guard let hash else { return stored == nil ? .differs : .malformed }
        let isWhole = password.utf8.count <= BcryptHash.passwordBytesMax || hash.mayBeCut
        return matches && isWhole ? .matches : .differs
    }

    private static let overloaded = Status(
        .resourceExhausted, "too many passwords wait to be checked; try again in \(retryAfterSeconds) s",
        metadata: ["retry-after": "\(retryAfterSeconds)"])

    private func run<Value: Sendable>(
        _ deadline: Deadline, _ body: @escaping @Sendable (BcryptWorker) throws -> Value
    ) async throws -> Value {
        do throws(any Error) {
            return try await withThrowingTaskGroup(of: Value.self) { tasks in
                tasks.addTask {
                    try await self.pool.run(deadline: deadline) { worker in
                        self.runs.add(1, ordering: .relaxed)
                        return try body(worker)
                    }
                }
                if !deadline.isNever, !deadline.isExpired {
                    // Of a call that has little time anyway, half.
                    let left = deadline.remaining
                    tasks.addTask {
                        try await Task.sleep(for: max(left - Self.noticeTime, left / 2))
                        throw Self.overloaded
                    }
                }
                defer { tasks.cancelAll() }
                guard let value = try await tasks.next() else { throw CancellationError() }
                return value
            }
        } catch {
            // The pool speaks of a store, and this is none.
            switch (error as? StorageError)?.kind {
            case .overloaded: throw Self.overloaded
            case .connectionLost: throw Status(.unavailable, "passwords can't be checked now")
            default: throw error
            }
        }
    }
}
