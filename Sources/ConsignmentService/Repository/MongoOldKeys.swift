import Contracts
import Idempotency
import MongoStorage
import RPC
import Synchronization

/// Idempotency keys as version 1 stored them: in a collection of their own, from which MongoDB removes each after a day.
///
/// Only read, so that a call that version 1 answered gets the same answer after the upgrade.
final class MongoOldKeys: Sendable {
    static let collection = "consignment_keys"

    private enum Presence: Int {
        case unknown
        case some
        case none
    }

    private let presence = Atomic(Presence.unknown.rawValue)

    /// The booking that such a key stands for.
    ///
    /// - Parameter decode: of a document in `consignments`.
    /// - Throws: ABORTED for a key that was used for another request, `StorageError`.
    func booking(
        of claim: IdempotencyClaim, _ connection: MongoConnection, _ deadline: Deadline,
        _ decode: (BSONView) -> Booking
    ) throws -> Booking? {
        guard presence.load(ordering: .relaxed) != Presence.none.rawValue else { return nil }
        let keys = connection.collection(Self.collection)
        if presence.load(ordering: .relaxed) == Presence.unknown.rawValue {
            // Version 1 has ended when this program starts, so that none are added.
            let isAny = try keys.first([:], deadline: deadline) { _ in true } ?? false
            presence.store((isAny ? Presence.some : .none).rawValue, ordering: .relaxed)
        }
        let found = try keys.first(["_id": .binary(claim.id)], deadline: deadline) {
            (fingerprint: $0.binary("fingerprint"), consignment: $0.binary("consignment"))
        }
        guard let found else { return nil }
        try claim.checkRepeat(of: found.fingerprint)
        // Where there is none, the call that stored the key got no answer: the key is free.
        let id = try Consignment_Consignment(knownFieldsOf: found.consignment).id
        return try connection.collection(MongoConsignmentRepository.consignments).first(
            ["_id": .string(id)], deadline: deadline, decode)
    }
}
