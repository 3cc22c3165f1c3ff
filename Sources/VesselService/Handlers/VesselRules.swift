import Contracts
import RPC

/// What a request must keep to.
enum VesselRules {
    static let nameLengthMax = 200
    /// Ids are keys of an index, so they are bounded too.
    static let idLengthMax = 200
    static let pageSizeDefault = 100
    static let pageSizeMax = 1_000

    static func check(_ vessel: Vessel_Vessel) throws(VesselError) {
        try checkName(vessel.name)
        try checkSize(vessel)
        guard vessel.id.hasAtMost(idLengthMax) else {
            throw .invalid("id", "id must have at most \(idLengthMax) characters")
        }
    }

    static func checkName(_ name: String, field: String = "name") throws(VesselError) {
        guard !name.isEmpty else { throw .invalid(field, "\(field) must not be empty") }
        guard name.hasAtMost(nameLengthMax) else {
            throw .invalid(field, "\(field) must have at most \(nameLengthMax) characters")
        }
    }

    private static func checkSize(_ vessel: Vessel_Vessel) throws(VesselError) {
        guard vessel.capacity > 0 else { throw .invalid("capacity", "capacity must be above 0") }
        guard vessel.maxWeight > 0 else { throw .invalid("max_weight", "max_weight must be above 0") }
    }

    /// The room that is asked for.
    static func room(_ specification: Vessel_Specification) throws(VesselError) -> Room {
        guard specification.capacity >= 0 else { throw .invalid("capacity", "capacity must not be negative") }
        guard specification.maxWeight >= 0 else { throw .invalid("max_weight", "max_weight must not be negative") }
        return Room(containers: specification.capacity, weight: specification.maxWeight)
    }

    /// The room that is to be booked.
    static func room(_ reservation: Vessel_Reservation) throws(VesselError) -> Room {
        try checkConsignmentID(reservation.consignmentID)
        guard reservation.containers >= 0 else { throw .invalid("containers", "containers must not be negative") }
        guard reservation.weight >= 0 else { throw .invalid("weight", "weight must not be negative") }
        return Room(containers: reservation.containers, weight: reservation.weight)
    }

    static func checkConsignmentID(_ id: String) throws(VesselError) {
        guard !id.isEmpty else { throw .invalid("consignment_id", "consignment_id must not be empty") }
        guard id.hasAtMost(idLengthMax) else {
            throw .invalid("consignment_id", "consignment_id must have at most \(idLengthMax) characters")
        }
    }

    /// The id of a consignment whose room is to be released. One that another program stored can be cancelled too, and its id
    /// may be longer than ours.
    static func checkReleasedID(_ id: String) throws(VesselError) {
        guard !id.isEmpty else { throw .invalid("consignment_id", "consignment_id must not be empty") }
        guard id.utf8.count <= ListedID.bytesMax else {
            throw .invalid("consignment_id", "consignment_id must have at most \(ListedID.bytesMax) bytes")
        }
    }

    /// How many a page may hold.
    static func pageSize(_ wanted: Int32) throws(VesselError) -> Int {
        guard wanted >= 0 else { throw .invalid("page_size", "page_size must not be negative") }
        return wanted == 0 ? pageSizeDefault : min(Int(wanted), pageSizeMax)
    }
}

/// Where the next page begins, as callers carry it. It holds a place and nothing else, so that it never goes stale.
enum PageToken {
    /// Tells our tokens from guesses, and these from a later form.
    private static let prefix = "v1"

    /// Ids may be any text, and tokens are text too.
    static func after(_ id: String) -> String { prefix + ListedID.bounded(id) }

    /// - Throws: ``VesselError/invalid(_:_:)`` for what is no token of ours.
    static func id(in token: String) throws(VesselError) -> String {
        let id = String(Substring(token.utf8.dropFirst(prefix.utf8.count)))
        guard token.startsWithBytes(prefix), !id.isEmpty, id.utf8.count <= ListedID.bytesMax else {
            throw .invalid("page_token", "page_token is not one that was answered here")
        }
        return id
    }
}
