import Idempotency
import LeasedQueue
import RPC
import Traces

/// Where users are kept, and beside them the events that tell of them. Each implementation obeys the same tests.
protocol UserRepository: Sendable {
    /// Stores user and event in one transaction.
    ///
    /// With a claim, a repeat stores nothing and answers what the first call stored; whether it is the same request is
    /// for the caller to see, who alone can compare passwords.
    ///
    /// - Returns: the user as stored, which for a repeat is the first call's.
    /// - Throws: ``UserError/emailTaken`` (compared without case), ABORTED for a key that was used for another request,
    ///   `StorageError`.
    func create(
        _ user: StoredUser, event: UserCreatedEvent, claim: IdempotencyClaim?, deadline: Deadline
    ) async throws -> CreatedUser

    /// The user that a keyed call stored before; `nil` when the key is new. Spares a repeat the hashing.
    ///
    /// - Throws: ABORTED for a key that was used for another request, `StorageError`.
    func answer(to claim: IdempotencyClaim, deadline: Deadline) async throws -> StoredUser?

    func user(id: String, deadline: Deadline) async throws -> StoredUser?

    /// - Parameter email: compared without case.
    func user(email: String, deadline: Deadline) async throws -> StoredUser?

    /// Creation time of the newest user, in microseconds since 1970 in UTC; `nil` when there is none. Ignores times
    /// that no clock of ours shows (from `MonotonicTimestamps.end` on).
    func newestCreation(deadline: Deadline) async throws -> Int64?

    /// Users in the order of their creation (`createdAtMicroseconds`, then id).
    ///
    /// - Parameters:
    ///   - after: the last user of the page before; `nil` for the first page.
    ///   - limit: above 0.
    func page(after: UserPosition?, limit: Int, deadline: Deadline) async throws -> [StoredUser]
}

/// A user as stored. Has no description of its own on purpose: it holds a password hash, which belongs in no log.
struct StoredUser: Sendable, Equatable {
    var id: String
    var name: String
    var company: String
    /// As the person wrote it.
    var email: String
    /// bcrypt, `$2a$` or `$2b$`.
    var passwordHash: String
    /// Since 1970, in UTC.
    var createdAtMicroseconds: Int64
}

struct CreatedUser: Sendable {
    var user: StoredUser
    /// Whether an earlier call with the same key stored it.
    var isRepeat: Bool
}

/// Where a page ends.
struct UserPosition: Sendable, Equatable {
    var createdAtMicroseconds: Int64
    var id: String
}

/// What happened to a user, for others to hear of. The mail service knows it by its id, however often it arrives.
struct UserCreatedEvent: Sendable, Equatable {
    var id: String
    var userID: String
    var name: String
    var email: String
    var company: String
    /// Since 1970, in UTC.
    var occurredAtMicroseconds: Int64
    /// The span that it came of; `nil` where nothing is known of it.
    var trace: TraceParent?
}

/// Events that are stored and wait to be delivered; delivered ones are removed. Each implementation obeys the same tests.
protocol Outbox: LeasedQueue where Item == UserCreatedEvent {
    /// Makes all dead-lettered events due again, with all their tries.
    ///
    /// - Returns: how many.
    func requeueDeadLetters(deadline: Deadline) async throws -> Int
}
