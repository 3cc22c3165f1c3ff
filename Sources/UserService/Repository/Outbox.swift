import LeasedQueue
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

/// Events that are stored and wait to be delivered; delivered ones are removed. Each implementation obeys the same tests.
protocol Outbox: LeasedQueue where Item == UserCreatedEvent {
    /// Makes all dead-lettered events due again, with all their tries.
    ///
    /// - Returns: how many.
    func requeueDeadLetters(deadline: Deadline) async throws -> Int
}
