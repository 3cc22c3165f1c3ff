import RPC

/// `vessel.VesselService`: the vessels, what they carry, and what is booked on them.
public enum VesselMethods {
    public static let service = "vessel.VesselService"

    public static let create = Method<Vessel_Vessel, Vessel_Response>(service: service, name: "Create")
    public static let findAvailable = Method<Vessel_Specification, Vessel_Response>(
        service: service, name: "FindAvailable", isIdempotent: true)
    /// One vessel by its id.
    public static let get = Method<Vessel_GetRequest, Vessel_Response>(
        service: service, name: "Get", isIdempotent: true)
    /// A page of all vessels, in the order of their ids.
    public static let list = Method<Vessel_ListRequest, Vessel_Response>(
        service: service, name: "List", isIdempotent: true)
    /// Changes what the mask names; needs a token.
    public static let update = Method<Vessel_UpdateRequest, Vessel_Response>(
        service: service, name: "Update", isIdempotent: true)

    // For the consignment service, not for callers of the gateway.

    /// Books room on the tightest fit, once for each consignment.
    public static let reserve = Method<Vessel_Reservation, Vessel_Response>(
        service: service, name: "Reserve", isIdempotent: true)
    /// Gives a consignment's room back, once.
    public static let release = Method<Vessel_Reservation, Vessel_Response>(
        service: service, name: "Release", isIdempotent: true)
}
