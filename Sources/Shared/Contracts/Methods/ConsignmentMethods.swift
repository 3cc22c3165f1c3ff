import RPC

/// `consignment.ConsignmentService`: what is shipped, for whom, on which vessel.
public enum ConsignmentMethods {
    public static let service = "consignment.ConsignmentService"

    public static let create = Method<Consignment_Consignment, Consignment_Response>(
        service: service, name: "Create")
    public static let get = Method<Consignment_GetRequest, Consignment_Response>(
        service: service, name: "Get", isIdempotent: true)
    /// Cancels a booking and gives its room back; needs a token.
    public static let cancel = Method<Consignment_CancelRequest, Consignment_Response>(
        service: service, name: "Cancel", isIdempotent: true)
}
