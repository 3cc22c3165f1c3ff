import Contracts
import Idempotency
import LeasedQueue
import RPC

/// Where consignments are kept. Each implementation obeys the same tests.
///
/// What is left to do for a consignment is in the same record: as a ``LeasedQueue`` this is the queue of bookings that are to
/// be driven to their end. Each write that changes a state also says what is left to do.
protocol ConsignmentRepository: LeasedQueue where Item == Booking {
    /// Stores an intent for a consignment that passed the rules, under an id of its own, to be taken up by a worker after
    /// ``BookingTimes/intentTimeout``.
    ///
    /// With a claim, the key is stored with it, and a repeat stores nothing and answers what is stored: unless that is being
    /// undone, and then the key stands for this intent.
    ///
    /// - Returns: the booking as stored.
    /// - Throws: ABORTED for a key that was used for another request, ``ConsignmentError/bookingUndone`` where calls with the
    ///   same key begin and undo all the time, `StorageError`.
    func begin(
        _ consignment: Consignment_Consignment, userID: String, claim: IdempotencyClaim?, deadline: Deadline
    ) async throws -> Booking

    /// The booking that a key stands for; `nil` when the key is new, or its booking was undone.
    ///
    /// - Throws: ABORTED for a key that was used for another request, `StorageError`.
    func booking(of claim: IdempotencyClaim, deadline: Deadline) async throws -> Booking?

    /// - Returns: `nil` for one that is not there, or is being undone.
    func booking(id: String, deadline: Deadline) async throws -> Booking?

    /// pending → booked.
    ///
    /// - Returns: the booking as it is then, also when another call changed it; `nil` when it was undone.
    func confirm(_ id: String, vesselID: String, deadline: Deadline) async throws -> BookingChange?

    /// pending → undoing.
    ///
    /// - Returns: whether it is being undone.
    func beginUndo(_ id: String, deadline: Deadline) async throws -> Bool

    /// Removes one that is being undone, and frees its key.
    ///
    /// - Returns: whether it was still there.
    func remove(_ booking: Booking, deadline: Deadline) async throws -> Bool

    /// → cancelled; its room is to be released.
    ///
    /// - Returns: the booking as it is then; `nil` for one that is not there, or is being undone.
    func cancel(_ id: String, deadline: Deadline) async throws -> BookingChange?

    /// Stores that the room of a cancelled one is released: nothing is left to do.
    func markReleased(_ id: String, deadline: Deadline) async throws

    /// Makes a booking due to a worker at once.
    func makeDue(_ id: String, deadline: Deadline) async throws

    /// Consignments in the order of their ids, which is that of their age.
    ///
    /// - Parameters:
    ///   - userID: whose; `nil` for all.
    ///   - after: the id of the last one before; `nil` from the oldest on.
    ///   - limit: at most so many, at least 1.
    ///   - bytesMax: no more once they have this many bytes together, so that a page of large ones ends early.
    func page(
        of userID: String?, after: String?, limit: Int, bytesMax: Int, deadline: Deadline
    ) async throws -> ConsignmentPage
}

extension ConsignmentRepository {
    /// Never a dead letter, as room may be booked for it: retried after an hour.
    func deadLetter(_ lease: Lease, error: String, deadline: Deadline) async throws -> Bool {
        try await retry(lease, after: .seconds(3_600), error: error, deadline: deadline)
    }
}

/// A booking after a call for a change of its state.
struct BookingChange: Sendable, Equatable {
    var booking: Booking
    /// Whether this call changed it, and not another before. Of several calls for one change one is told so, and counts it.
    var isOurs: Bool
}

/// Times from which on a worker takes up a booking.
enum BookingTimes {
    /// After it was begun: its call is over by then.
    static let intentTimeout: Duration = .seconds(15)
    /// After it was cancelled.
    static let releaseDelay: Duration = .seconds(5)
}
