import Idempotency
import RPC
import Storage
import Synchronization
import TestSupport

@testable import UserService

/// Users and events in memory, for tests of what stands above a store.
final class MemoryUsers: UserRepository, Outbox {
    struct Event: Sendable {
        var event: UserCreatedEvent
        var attempts = 0
        var dueAt = ContinuousClock.now
        var claim: EventClaim?
        var isDelivered = false
        var isDead = false
        var error = ""
    }

    struct State: Sendable {
        var users: [StoredUser] = []
        var keys: [[UInt8]: (claim: IdempotencyClaim, user: StoredUser)] = [:]
        var events: [Event] = []
        /// Questions about users by email.
        var lookups = 0
    }

    let state = Mutex(State())
    /// Thrown by every call when set.
    let fault = Mutex<StorageError?>(nil)
    /// Only by the marking of events.
    let markFault = Mutex<StorageError?>(nil)

    private func use<Value>(_ body: (inout State) throws -> Value) throws -> Value {
        if let fault = fault.withLock({ $0 }) { throw fault }
        return try state.withLock { try body(&$0) }
    }

    func create(
        _ user: StoredUser, event: UserCreatedEvent, claim: IdempotencyClaim?, deadline: Deadline
    ) async throws -> CreatedUser {
        try use { state in
            if let claim, let known = state.keys[claim.id] {
                try claim.checkRepeat(of: known.claim.fingerprint)
                return CreatedUser(user: known.user, isRepeat: true)
            }
            guard !state.users.contains(where: { $0.email.lowercased() == user.email.lowercased() }) else {
                throw UserError.emailTaken
            }
            state.users.append(user)
            state.events.append(Event(event: event))
            if let claim { state.keys[claim.id] = (claim, user) }
            return CreatedUser(user: user, isRepeat: false)
        }
    }

    func answer(to claim: IdempotencyClaim, deadline: Deadline) async throws -> StoredUser? {
        try use { state in
            guard let known = state.keys[claim.id] else { return nil }
            try claim.checkRepeat(of: known.claim.fingerprint)
            return known.user
        }
    }

    func user(id: String, deadline: Deadline) async throws -> StoredUser? {
        try use { $0.users.first { $0.id == id } }
    }

    func user(email: String, deadline: Deadline) async throws -> StoredUser? {
        try use { state in
            state.lookups += 1
            return state.users.first { $0.email.lowercased() == email.lowercased() }
        }
    }

    func page(after: UserPosition?, limit: Int, deadline: Deadline) async throws -> [StoredUser] {
        try use { state in
            let sorted = state.users.sorted { ($0.createdAtMicroseconds, $0.id) < ($1.createdAtMicroseconds, $1.id) }
            let rest = sorted.filter { user in
                after.map { (user.createdAtMicroseconds, user.id) > ($0.createdAtMicroseconds, $0.id) } ?? true
            }
            return Array(rest.prefix(limit))
        }
    }

    // MARK: Outbox

    func claim(limit: Int, lease: Duration, deadline: Deadline) async throws -> [ClaimedEvent] {
        try use { state in
            var claimed: [ClaimedEvent] = []
            for index in state.events.indices where claimed.count < limit {
                let event = state.events[index]
                guard !event.isDelivered, !event.isDead, event.dueAt <= .now else { continue }
                let claim = EventClaim(eventID: event.event.id, token: Identifier.random())
                state.events[index].claim = claim
                state.events[index].dueAt = .now + lease
                claimed.append(ClaimedEvent(event: event.event, claim: claim, attempts: event.attempts))
            }
            return claimed
        }
    }

    func markDelivered(_ claims: [EventClaim], deadline: Deadline) async throws {
        if let fault = markFault.withLock({ $0 }) { throw fault }
        try use { state in
            for index in state.events.indices where state.events[index].claim.map(claims.contains) ?? false {
                state.events[index].isDelivered = true
            }
        }
    }

    func retry(_ claim: EventClaim, after delay: Duration, error: String, deadline: Deadline) async throws {
        try update(claim) {
            $0.attempts += 1
            $0.dueAt = .now + delay
            $0.error = error
        }
    }

    func bury(_ claim: EventClaim, error: String, deadline: Deadline) async throws {
        try update(claim) {
            $0.isDead = true
            $0.error = error
        }
    }

    private func update(_ claim: EventClaim, _ body: (inout Event) -> Void) throws {
        try use { state in
            guard let index = state.events.firstIndex(where: { $0.claim == claim }) else { return }
            state.events[index].claim = nil
            body(&state.events[index])
        }
    }

    func requeueDead(deadline: Deadline) async throws -> Int {
        try use { state in
            let dead = state.events.indices.filter { state.events[$0].isDead }
            for index in dead { state.events[index] = Event(event: state.events[index].event) }
            return dead.count
        }
    }

    func statistics(deadline: Deadline) async throws -> OutboxStatistics {
        try use { state in
            OutboxStatistics(
                pending: state.events.count { !$0.isDelivered && !$0.isDead }, oldestPendingSeconds: 0,
                dead: state.events.count(where: \.isDead))
        }
    }

    func waitForEvent(timeout: Duration) async throws {
        try await Task.sleep(for: min(timeout, .milliseconds(5)))
    }
}
