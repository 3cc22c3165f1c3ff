// The messages of the services that are reachable through the gateway, as in Protos/.

extension Vessel_Vessel: DescribedMessage {
    public static let messageDescription = MessageDescription(
        "vessel.Vessel",
        [
            .string("id"), .int32("capacity"), .int32("max_weight"), .string("name"), .bool("available"),
            .string("owner_id"), .int32("booked_containers"), .int32("booked_weight"),
        ])
}

extension Vessel_Specification: DescribedMessage {
    public static let messageDescription = MessageDescription(
        "vessel.Specification", [.int32("capacity"), .int32("max_weight")])
}

extension Vessel_Response: DescribedMessage {
    public static let messageDescription = MessageDescription(
        "vessel.Response",
        [
            .one("vessel", Vessel_Vessel.self), .many("vessels", Vessel_Vessel.self), .bool("created"),
            .string("next_page_token"),
        ])
}

extension Vessel_GetRequest: DescribedMessage {
    public static let messageDescription = MessageDescription("vessel.GetRequest", [.string("id")])
}

extension Vessel_ListRequest: DescribedMessage {
    public static let messageDescription = MessageDescription(
        "vessel.ListRequest", [.int32("page_size"), .string("page_token")])
}

extension Vessel_UpdateRequest: DescribedMessage {
    public static let messageDescription = MessageDescription(
        "vessel.UpdateRequest", [.one("vessel", Vessel_Vessel.self), .fieldMask("update_mask")])
}

extension User_User: DescribedMessage {
    public static let messageDescription = MessageDescription(
        "user.User",
        [
            .string("id"), .string("name"), .string("company"), .string("email"), .string("password"),
            .string("token"), .strings("roles"),
        ])
}

extension User_Request: DescribedMessage {
    public static let messageDescription = MessageDescription(
        "user.Request", [.int32("page_size"), .string("page_token")])
}

extension User_Error: DescribedMessage {
    public static let messageDescription = MessageDescription(
        "user.Error", [.int32("code"), .string("description")])
}

extension User_Token: DescribedMessage {
    public static let messageDescription = MessageDescription(
        "user.Token", [.string("token"), .bool("valid"), .many("errors", User_Error.self)])
}

extension User_Response: DescribedMessage {
    public static let messageDescription = MessageDescription(
        "user.Response",
        [
            .one("user", User_User.self), .many("users", User_User.self), .many("errors", User_Error.self),
            .one("token", User_Token.self), .string("next_page_token"),
        ])
}

extension Consignment_Container: DescribedMessage {
    public static let messageDescription = MessageDescription(
        "consignment.Container",
        [.string("id"), .string("customer_id"), .string("origin"), .string("user_id")])
}

extension Consignment_Consignment: DescribedMessage {
    public static let messageDescription = MessageDescription(
        "consignment.Consignment",
        [
            .string("id"), .string("description"), .int32("weight"),
            .many("containers", Consignment_Container.self), .string("vessel_id"),
            .choice("status", "Status", ["STATUS_UNSPECIFIED", "BOOKED", "PENDING", "CANCELLED"]),
            .timestamp("created_at"), .string("user_id"),
        ])
}

extension Consignment_GetRequest: DescribedMessage {
    public static let messageDescription = MessageDescription(
        "consignment.GetRequest", [.int32("page_size"), .string("page_token"), .string("id")])
}

extension Consignment_CancelRequest: DescribedMessage {
    public static let messageDescription = MessageDescription("consignment.CancelRequest", [.string("id")])
}

extension Consignment_Response: DescribedMessage {
    public static let messageDescription = MessageDescription(
        "consignment.Response",
        [
            .bool("created"), .one("consignment", Consignment_Consignment.self),
            .many("consignments", Consignment_Consignment.self), .string("next_page_token"),
        ])
}
