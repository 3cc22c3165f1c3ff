import LeasedQueue
import RPC
import Traces

/// Where mails are kept, from the moment that they are ordered. Each implementation obeys the same tests.
///
/// A mail is never removed: that it is known is what makes the repeat of an event harmless, however late it comes.
///
/// As a ``LeasedQueue`` it holds the mails that are to be sent; those that the server will never take are dead letters.
/// `finish` marks a mail as sent even if another has claimed it by then, as it must not go out again.
protocol EmailRepository: LeasedQueue where Item == StoredMail {
    /// Stores a mail, due at once, unless one with its event id is stored. What this answers survives a crash.
    ///
    /// - Returns: the mail as stored, which for a repeat is the first.
    func store(_ mail: NewMail, deadline: Deadline) async throws -> (mail: StoredMail, isNew: Bool)

    func mail(eventID: String, deadline: Deadline) async throws -> StoredMail?
}

/// A mail that is ordered.
struct NewMail: Sendable, Equatable {
    var eventID: String
    var userID: String
    var recipient: String
    var name: String
    var company: String
    var subject: String
    /// The span that it was ordered by, so that its delivery shows in the same trace; `nil` where nothing is known of it.
    var trace: TraceParent?
}

struct StoredMail: Sendable, Equatable {
    /// As stored; the numbers never change.
    enum Status: Int32, Sendable {
        case pending = 0
        case sent = 1
        case failed = 2
    }

    var content: NewMail
    var status: Status
    /// Tries that were begun.
    var attempts: Int
    /// Why the last try came to nothing; empty when none did, or when the mail is sent.
    var lastError: String
    var createdAt: WallTime

    var eventID: String { content.eventID }
}
