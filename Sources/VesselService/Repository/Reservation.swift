import MongoStorage
import RPC
import Storage

/// A consignment's room as MongoDB keeps it, under the consignment's id. Once it is released it stays so.
struct Reservation: Sendable {
    static let collection = "reservations"

    var vesselID = ""
    var room = Room(containers: 0, weight: 0)
    /// The step that reserved it.
    var stepID = ""
    var isReleased = false
    /// The step that releases it.
    var releaseID = ""

    init(_ document: BSONView) {
        vesselID = document.string("vessel_id")
        room = Room(containers: document.int32("containers"), weight: document.int32("weight"))
        stepID = document.string("step")
        isReleased = document.bool("released")
        releaseID = document.string("release_step")
    }

    /// What a step reserves on a vessel.
    init(_ step: VesselDocument.Step, on vesselID: String) {
        self.vesselID = vesselID
        room = step.room
        stepID = step.id
    }

    private init(isReleased: Bool) {
        self.isReleased = isReleased
    }

    /// Stays, so that a Reserve that was overtaken by its Release is rejected. There is no room to release.
    static let tombstone = Reservation(isReleased: true)

    func document(of consignmentID: String) -> BSONFields {
        [
            "_id": .string(consignmentID), "vessel_id": .string(vesselID), "containers": .int32(room.containers),
            "weight": .int32(room.weight), "step": .string(stepID), "released": .bool(isReleased),
            "release_step": .string(releaseID),
        ]
    }

    static func of(
        _ consignmentID: String, _ connection: MongoConnection, _ deadline: Deadline
    ) throws(StorageError) -> Reservation? {
        try connection.collection(collection).first(
            ["_id": .string(consignmentID)], deadline: deadline, Reservation.init)
    }

    /// The reservations of these consignments that are there.
    static func of(
        _ consignmentIDs: [String], _ connection: MongoConnection, _ deadline: Deadline
    ) throws(StorageError) -> [ByteKey: Reservation] {
        guard !consignmentIDs.isEmpty else { return [:] }
        var found: [ByteKey: Reservation] = [:]
        try connection.collection(collection).find(
            ["_id": ["$in": .array(consignmentIDs.map { .string($0) })]], limit: Int32(clamping: consignmentIDs.count),
            deadline: deadline
        ) {
            found[ByteKey($0.string("_id"))] = Reservation($0)
            return true
        }
        return found
    }
}
