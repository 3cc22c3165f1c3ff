import RPC
import Traces

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

/// Events that are stored and wait to be delivered. Each implementation obeys the same tests.
protocol Outbox: Sendable {
    /// Takes events that are due, oldest first, so that nobody else takes them until the lease ends.
    ///
    /// - Parameters:
    ///   - limit: above 0.
    ///   - lease: how long they are ours; if we die they are due again after it.
    func claim(limit: Int, lease: Duration, deadline: Deadline) async throws -> [ClaimedEvent]

    /// Marks events as delivered.
    func markDelivered(_ claims: [EventClaim], deadline: Deadline) async throws

    /// Gives an event back, to be due again after `delay`. Does nothing when the lease was lost to another.
    func retry(_ claim: EventClaim, after delay: Duration, error: String, deadline: Deadline) async throws

    /// Sets an event aside after its last try; it waits for ``requeueDead(deadline:)``.
    func bury(_ claim: EventClaim, error: String, deadline: Deadline) async throws

    /// Makes all events that were set aside due again, with all their tries.
    ///
    /// - Returns: how many.
    func requeueDead(deadline: Deadline) async throws -> Int

    /// How many wait, how old the oldest is, how many were set aside.
    func statistics(deadline: Deadline) async throws -> OutboxStatistics

    /// Ends when an event was stored, by this process or another, or when `timeout` is over; may also end early.
    func waitForEvent(timeout: Duration) async throws
}

/// The right to say what became of an event; worthless once another has claimed it.
struct EventClaim: Sendable, Equatable {
    var eventID: String
    /// Made anew at each claim.
    var token: String
}

struct ClaimedEvent: Sendable, Equatable {
    var event: UserCreatedEvent
    var claim: EventClaim
    /// Tries that came to nothing before this one.
    var attempts: Int
}

struct OutboxStatistics: Sendable, Equatable {
    var pending: Int
    /// 0 when none waits.
    var oldestPendingSeconds: Double
    var dead: Int
}
