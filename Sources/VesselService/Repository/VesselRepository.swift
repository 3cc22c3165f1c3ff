import Contracts
import Idempotency
import RPC

/// Where vessels and the room that is booked on them are kept. Each implementation obeys the same tests.
///
/// What is left of a vessel is its capacity and maximum weight without what is booked. A vessel whose `available` is false
/// has nothing to offer, whatever is left.
protocol VesselRepository: Sendable {
    /// Stores a vessel that passed the rules; makes an id where it has none.
    ///
    /// With a claim, a repeat stores nothing and answers what the first call stored.
    ///
    /// - Returns: the vessel as stored, which for a repeat is the first call's.
    /// - Throws: ``VesselError/idTaken(_:)``, ABORTED for a key that was used for another request, `StorageError`.
    func create(_ vessel: Vessel_Vessel, claim: IdempotencyClaim?, deadline: Deadline) async throws -> Vessel_Vessel

    /// The vessel that version 1 stored for a call with a key.
    ///
    /// - Parameter claim: version 1's.
    /// - Returns: `nil` where version 1 got no such key.
    /// - Throws: ABORTED for a key that was used for another request, `StorageError`.
    func versionOneVessel(of claim: IdempotencyClaim, deadline: Deadline) async throws -> Vessel_Vessel?

    /// The vessel that fits most tightly: fewest containers left, then least kg left, then smallest id.
    ///
    /// - Parameter room: not negative.
    /// - Returns: `nil` when none fits.
    func tightestFit(_ room: Room, deadline: Deadline) async throws -> Vessel_Vessel?

    /// - Returns: `nil` when there is no vessel with this id.
    func vessel(id: String, deadline: Deadline) async throws -> Vessel_Vessel?

    /// Vessels in the order of their ids, by bytes.
    ///
    /// - Parameters:
    ///   - after: the id of the last one before; `nil` from the first on.
    ///   - limit: at most so many.
    func page(after: String?, limit: Int, deadline: Deadline) async throws -> [Vessel_Vessel]

    /// Changes a vessel, as one step.
    ///
    /// - Parameter change: called with the vessel as it is, perhaps several times; what it throws is thrown, and nothing
    ///   is changed. It keeps what is booked, and capacity and weight at least as large.
    /// - Returns: the vessel as it is then; `nil` when there is none.
    func update(
        id: String, deadline: Deadline, _ change: @escaping @Sendable (inout Vessel_Vessel) throws -> Void
    ) async throws -> Vessel_Vessel?

    /// Books room for a consignment on the vessel that fits most tightly, as one step and once: a repeat books nothing.
    ///
    /// - Returns: the vessel that it is booked on, which for a repeat is the first call's; `nil` when none fits.
    /// - Throws: ``VesselError/released(_:)`` when the consignment's room was released before.
    func reserve(_ room: Room, for consignmentID: String, deadline: Deadline) async throws -> Vessel_Vessel?

    /// Gives a consignment's room back, once. Where it has none, it can't get any later.
    func release(_ consignmentID: String, deadline: Deadline) async throws

    /// The most containers that any vessel still takes, and the most kg, perhaps another's; zero where none takes any.
    func largestRoom(deadline: Deadline) async throws -> Room

    /// Finishes what calls left behind that ended half-way, and takes over what other programs stored.
    func tidy(deadline: Deadline) async throws
}

/// Room on a vessel, or what a consignment needs of it.
struct Room: Sendable, Equatable {
    var containers: Int32
    /// In kg.
    var weight: Int32
}

extension Vessel_Vessel {
    /// What is neither booked nor closed to bookings; `nil` where `available` is false.
    var roomOffered: Room? {
        if hasAvailable && !available { return nil }
        // Documents of other programs may hold any numbers.
        return Room(
            containers: Int32(clamping: Int64(capacity) - Int64(bookedContainers)),
            weight: Int32(clamping: Int64(maxWeight) - Int64(bookedWeight)))
    }

    /// Releases booked room.
    mutating func release(_ room: Room) {
        // As above.
        bookedContainers = Int32(clamping: Int64(bookedContainers) - Int64(room.containers))
        bookedWeight = Int32(clamping: Int64(bookedWeight) - Int64(room.weight))
    }
}
