import RPC

/// `vessel.VesselService`: the vessels and what they carry.
public enum VesselMethods {
    public static let service = "vessel.VesselService"

    public static let create = Method<Vessel_Vessel, Vessel_Response>(service: service, name: "Create")
    public static let findAvailable = Method<Vessel_Specification, Vessel_Response>(
        service: service, name: "FindAvailable", isIdempotent: true)
}
