import Contracts
import Idempotency
import MongoStorage

/// A vessel as it is stored in MongoDB.
///
/// All that belongs to one vessel is in its document, and each write raises `version`: who writes names the version that it
/// has read, so that nothing that came in between is lost.
struct VesselDocument {
    /// A change of the booked room that has been written here but may not have been noted in the reservation, or the other
    /// way round; see ``MongoReservations``.
    struct Step: Equatable {
        enum Kind: String {
            /// The room is booked in this document.
            case reserve
            /// The room is still booked in this document.
            case release
        }

        let id: String
        let kind: Kind
        let consignmentID: String
        let room: Room
    }

    /// Marks documents that have all of these fields.
    private static let layout: BSONValue = 2

    var vessel: Vessel_Vessel
    private(set) var version: Int64
    var steps: [Step]
    /// The room that the search finds it by, as it was read: another program may not know of it.
    private(set) var roomSearched: Room?
    /// The claim that it was stored for.
    var attempt: String?

    init(_ vessel: Vessel_Vessel) {
        self.vessel = vessel
        version = 0
        steps = []
    }

    init(_ document: BSONView) {
        vessel = Vessel_Vessel()
        vessel.id = document.string("_id")
        vessel.capacity = document.int32("capacity")
        vessel.maxWeight = document.int32("max_weight")
        vessel.name = document.string("name")
        if document.has("available") { vessel.available = document.bool("available") }
        vessel.ownerID = document.string("owner_id")
        vessel.bookedContainers = document.int32("booked_containers")
        vessel.bookedWeight = document.int32("booked_weight")
        if document.has("offered_containers") {
            roomSearched = Room(
                containers: document.int32("offered_containers"), weight: document.int32("offered_weight"))
        }
        version = document.int64("version")
        var steps: [Step] = []
        document.eachDocument("steps") { step in
            guard let kind = Step.Kind(rawValue: step.string("kind")) else { return }
            steps.append(
                Step(
                    id: step.string("id"), kind: kind, consignmentID: step.string("consignment_id"),
                    room: Room(containers: step.int32("containers"), weight: step.int32("weight"))))
        }
        self.steps = steps
    }

    static func groupField(_ level: Int) -> String { "group_\(level)" }

    /// All of a new document.
    var inserted: BSONFields {
        var fields: BSONFields = ["_id": .string(vessel.id), "owner_id": .string(vessel.ownerID)]
        if let attempt { fields.fields.append(("attempt", .string(attempt))) }
        fields.fields += present
        return fields
    }

    /// The update that makes the stored document this one.
    var changes: BSONFields {
        var update: BSONFields = ["$set": .document(present)]
        let absent = absent
        if !absent.isEmpty { update.fields.append(("$unset", .document(absent.map { ($0, "") }))) }
        return update
    }

    /// Takes over the version that the document has once ``changes`` are stored.
    mutating func markWritten() {
        version += 1
    }

    /// Finds the document only as it was when it was read.
    var asRead: BSONFields {
        // One that was not taken over yet has no version.
        ["_id": .string(vessel.id), "version": version > 0 ? .int64(version) : ["$exists": false]]
    }

    private var present: [(String, BSONValue)] {
        var fields: [(String, BSONValue)] = [
            ("name", .string(vessel.name)), ("capacity", .int32(vessel.capacity)),
            ("max_weight", .int32(vessel.maxWeight)), ("booked_containers", .int32(vessel.bookedContainers)),
            ("booked_weight", .int32(vessel.bookedWeight)), ("layout", Self.layout), ("version", .int64(version + 1)),
            ("steps", .array(steps.map(Self.value))),
        ]
        if vessel.hasAvailable { fields.append(("available", .bool(vessel.available))) }
        if let offered = vessel.roomOffered {
            fields.append(("offered_containers", .int32(offered.containers)))
            fields.append(("offered_weight", .int32(offered.weight)))
            for level in RoomIndex.levels {
                fields.append(
                    (Self.groupField(level), .int32(RoomIndex.group(level: level, of: offered.containers))))
            }
        }
        if !steps.isEmpty { fields.append(("steps_since", .date(milliseconds: WallClock.seconds * 1_000))) }
        return fields
    }

    private var absent: [String] {
        var names: [String] = []
        if !vessel.hasAvailable { names.append("available") }
        if vessel.roomOffered == nil {
            names += ["offered_containers", "offered_weight"] + RoomIndex.levels.map(Self.groupField)
        }
        if steps.isEmpty { names.append("steps_since") }
        return names
    }

    private static func value(_ step: Step) -> BSONValue {
        [
            "id": .string(step.id), "kind": .string(step.kind.rawValue),
            "consignment_id": .string(step.consignmentID), "containers": .int32(step.room.containers),
            "weight": .int32(step.room.weight),
        ]
    }
}
