import Contracts
import Idempotency
import RPC

/// Where vessels are kept. Each implementation obeys the same tests.
protocol VesselRepository: Sendable {
    /// Stores a vessel that passed the rules; makes an id where it has none.
    ///
    /// With a claim, a repeat stores nothing and answers what the first call stored.
    ///
    /// - Returns: the vessel as stored, which for a repeat is the first call's.
    /// - Throws: ``VesselError/idTaken(_:)``, ABORTED for a key that was used for another request, `StorageError`.
    func create(_ vessel: Vessel_Vessel, claim: IdempotencyClaim?, deadline: Deadline) async throws -> Vessel_Vessel

    /// The vessel that fits most tightly: smallest capacity, then smallest maximum weight, then smallest id.
    ///
    /// - Parameters:
    ///   - capacity: containers, not negative.
    ///   - weight: kg, not negative.
    /// - Returns: `nil` when none fits.
    func tightestFit(capacity: Int32, weight: Int32, deadline: Deadline) async throws -> Vessel_Vessel?
}
