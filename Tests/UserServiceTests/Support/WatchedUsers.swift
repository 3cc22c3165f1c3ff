import Idempotency
import LeasedQueue
import Logging
import RPC
import Storage
import Synchronization
import TestSupport

@testable import UserService

/// A real store, watched: it remembers what went through, and fails where a test wants it to.
final class WatchedUsers: UserRepository, Outbox {
    /// What was said of one event.
    struct Story: Sendable {
        var event: UserCreatedEvent
        var retries = 0
        var lastError = ""
        var isDelivered = false
        var isDead = false
    }

    struct State: Sendable {
        var stories: [String: Story] = [:]
        /// Of creates, refused ones too.
        var claims: [IdempotencyClaim] = []
        /// Questions for users by their emails.
        var lookups = 0
        /// Thrown by every call when set.
        var fault: StorageError?
        /// Only by the marking of events.
        var markFault: StorageError?
    }

    let state = Mutex(State())
    private let base: UserDatabase

    init(_ base: UserDatabase) {
        self.base = base
    }

    /// The same store, which can fail by itself.
    init(sharing other: WatchedUsers) {
        base = other.base
    }

    func fail(_ fault: StorageError?) { state.withLock { $0.fault = fault } }
    func failMarking(_ fault: StorageError?) { state.withLock { $0.markFault = fault } }

    private func check() throws {
        if let fault = state.withLock({ $0.fault }) { throw fault }
    }

    // MARK: Users

    func create(
        _ user: StoredUser, event: UserCreatedEvent, claim: IdempotencyClaim?, deadline: Deadline
    ) async throws -> CreatedUser {
        try check()
        state.withLock { if let claim { $0.claims.append(claim) } }
        let created = try await base.repository.create(user, event: event, claim: claim, deadline: deadline)
        if !created.isRepeat { state.withLock { $0.stories[event.id] = Story(event: event) } }
        return created
    }

    func answer(to claim: IdempotencyClaim, deadline: Deadline) async throws -> StoredUser? {
        try check()
        return try await base.repository.answer(to: claim, deadline: deadline)
    }

    func newestCreation(deadline: Deadline) async throws -> Int64? {
        try check()
        return try await base.repository.newestCreation(deadline: deadline)
    }

    func user(id: String, deadline: Deadline) async throws -> StoredUser? {
        try check()
        return try await base.repository.user(id: id, deadline: deadline)
    }

    func user(email: String, deadline: Deadline) async throws -> StoredUser? {
        try check()
        state.withLock { $0.lookups += 1 }
        return try await base.repository.user(email: email, deadline: deadline)
    }

    func page(after: UserPosition?, limit: Int, deadline: Deadline) async throws -> [StoredUser] {
        try check()
        return try await base.repository.page(after: after, limit: limit, deadline: deadline)
    }

    // MARK: Events

    func claim(limit: Int, lease: Duration, deadline: Deadline) async throws -> [LeasedItem<UserCreatedEvent>] {
        try check()
        return try await base.outbox.claim(limit: limit, lease: lease, deadline: deadline)
    }

    func finish(_ leases: [Lease], deadline: Deadline) async throws {
        try check()
        if let fault = state.withLock({ $0.markFault }) { throw fault }
        try await base.outbox.finish(leases, deadline: deadline)
        state.withLock { state in
            for lease in leases { state.stories[lease.itemID]?.isDelivered = true }
        }
    }

    func retry(_ lease: Lease, after delay: Duration, error: String, deadline: Deadline) async throws -> Bool {
        try check()
        let isOurs = try await base.outbox.retry(lease, after: delay, error: error, deadline: deadline)
        state.withLock { state in
            state.stories[lease.itemID]?.retries += 1
            state.stories[lease.itemID]?.lastError = error
        }
        return isOurs
    }

    func deadLetter(_ lease: Lease, error: String, deadline: Deadline) async throws -> Bool {
        try check()
        let isOurs = try await base.outbox.deadLetter(lease, error: error, deadline: deadline)
        state.withLock { $0.stories[lease.itemID]?.isDead = true }
        return isOurs
    }

    func requeueDeadLetters(deadline: Deadline) async throws -> Int {
        try check()
        return try await base.outbox.requeueDeadLetters(deadline: deadline)
    }

    func statistics(deadline: Deadline) async throws -> LeasedQueueStatistics {
        try check()
        return try await base.outbox.statistics(deadline: deadline)
    }

    func waitForWork(timeout: Duration) async throws {
        try await base.outbox.waitForWork(timeout: timeout)
    }
}

extension WatchedUsers {
    /// Everybody who is stored.
    var everybody: [StoredUser] {
        get async throws { try await base.repository.page(after: nil, limit: 10_000, deadline: .never) }
    }

    /// Stores a user whom the service did not make, and an event that nobody looks at.
    func insert(
        _ email: String, hash: String = "", id: String = Identifier.random(), at microseconds: Int64 = 0
    ) async throws {
        let user = StoredUser(
            id: id, name: "n", company: "", email: email, passwordHash: hash, createdAtMicroseconds: microseconds)
        _ = try await create(user, event: Sample.event(user), claim: nil, deadline: .never)
    }

    /// Stores a user whose email is `NAME@example.com`, and the event.
    func add(_ name: String) async throws {
        let user = StoredUser(
            id: "user-\(name)", name: name, company: "c", email: "\(name)@example.com", passwordHash: "",
            createdAtMicroseconds: TestClock.epoch + 7)
        _ = try await create(user, event: Sample.event(user, "event-\(name)"), claim: nil, deadline: .never)
    }

    func story(_ name: String) -> Story? { state.withLock { $0.stories["event-\(name)"] } }
    var stories: [Story] { state.withLock { Array($0.stories.values) } }

    /// Nothing waits and nothing is dead-lettered, by the store's own counts.
    var isDrained: Bool {
        get async throws {
            let left = try await base.outbox.statistics(deadline: .never)
            return left.pending == 0 && left.deadLetters == 0
        }
    }
}

/// Lends an empty store, the embedded one where it makes no difference.
func withWatchedUsers(
    _ kind: UserStoreKind = .sqlite, _ body: (WatchedUsers) async throws -> Void
) async throws {
    try await withUsers(kind) { try await body(WatchedUsers($0)) }
}
