import Contracts
import Idempotency
import SwiftProtobuf

/// A consignment and the state of its booking.
///
/// It is stored before room is asked for, as an intent (`pending`), so that after a crash at any point a worker knows that
/// room may have to be given back:
///
///     pending ── room reserved ──▶ booked ── Cancel ──▶ cancelled ── room given back ──▶ cancelled, nothing left to do
///        │  └───────────────────── Cancel ────────────────▲
///        └── none fits, or left behind without a key ──▶ undoing ── room given back ──▶ gone
///
/// Each arrow is one conditional write. A reservation carries the consignment's id and can be repeated; what was given back
/// can't be reserved again.
struct Booking: Sendable, Equatable {
    /// As stored; the numbers never change.
    enum State: Int32, Sendable {
        /// Of version 1, which counted no room: nothing is reserved for it.
        case uncounted = 0
        case booked = 1
        case pending = 2
        case cancelled = 3
        /// Callers don't see it any more.
        case undoing = 4
    }

    /// As it was asked for, with its id.
    var consignment: Consignment_Consignment
    var userID: String
    /// Empty until it is booked.
    var vesselID: String
    var state: State
    /// What its idempotency key is stored under; empty where it has none. A worker completes a booking with a key, since
    /// its caller can ask again, and undoes one without, since its caller can only book anew.
    var key: [UInt8]
    /// Whether it is cancelled, and its room may not be released yet.
    var owesRelease = false

    var id: String { consignment.id }

    /// The room that it needs on a vessel.
    var reservation: Vessel_Reservation {
        var reservation = Vessel_Reservation()
        reservation.consignmentID = consignment.id
        reservation.containers = Int32(clamping: consignment.containers.count)
        reservation.weight = consignment.weight
        return reservation
    }

    /// As callers see it: all of it, or only the parts that an answer can hold.
    var shown: Consignment_Consignment {
        var shown = consignment
        shown.vesselID = vesselID
        shown.userID = userID
        shown.status =
            switch state {
            case .uncounted: .unspecified
            case .booked: .booked
            case .pending, .undoing: .pending
            case .cancelled: .cancelled
            }
        if let microseconds = OrderedIdentifiers.microseconds(of: consignment.id) {
            shown.createdAt = Google_Protobuf_Timestamp(
                seconds: microseconds / 1_000_000, nanos: Int32(microseconds % 1_000_000) * 1_000)
        }
        return shown.fitsAnswer ? shown : shown.outline
    }
}
