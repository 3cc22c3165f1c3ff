import RPC
import Traces

/// Where mails are kept, from the moment that they are ordered. Each implementation obeys the same tests.
///
/// A mail is never removed: that it is known is what makes the repeat of an event harmless, however late it comes.
///
/// A pending mail is due at a time. To claim it moves that time to the end of a lease: whoever claims it has it alone
/// until then, and when they die it is due again by itself.
protocol EmailRepository: Sendable {
    /// Stores a mail, due at once, unless one with its event id is stored. What this answers survives a crash.
    ///
    /// - Returns: the mail as stored, which for a repeat is the first.
    func store(_ mail: NewMail, deadline: Deadline) async throws -> (mail: StoredMail, isNew: Bool)

    func mail(eventID: String, deadline: Deadline) async throws -> StoredMail?

    /// Takes the mail that has been due for longest, and counts a try. No two callers get the same one.
    ///
    /// - Parameter lease: how long it is the caller's.
    /// - Returns: `nil` when none is due.
    func claim(lease: Duration, deadline: Deadline) async throws -> ClaimedMail?

    /// Notes that the server took a mail, whoever has claimed it by now: it must not go out again.
    func markSent(eventID: String, deadline: Deadline) async throws

    /// Notes that a mail can't be delivered.
    ///
    /// - Returns: false when the lease was lost to another; then nothing is changed.
    func markFailed(_ claim: MailClaim, error: String, deadline: Deadline) async throws -> Bool

    /// Gives a mail back, to be due again after `delay`.
    ///
    /// - Returns: false when the lease was lost to another; then nothing is changed.
    func retry(_ claim: MailClaim, after delay: Duration, error: String, deadline: Deadline) async throws -> Bool

    func statistics(deadline: Deadline) async throws -> MailStatistics
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

/// The right to say what became of a mail; worthless once another has claimed it.
struct MailClaim: Sendable, Equatable {
    var eventID: String
    /// Made anew at each claim.
    var token: String
}

struct ClaimedMail: Sendable, Equatable {
    var mail: StoredMail
    var claim: MailClaim
}

struct MailStatistics: Sendable, Equatable {
    /// Counted up to this.
    static let countMax = 100_000

    var pending: Int
    /// 0 when none waits.
    var oldestPendingSeconds: Double
}
