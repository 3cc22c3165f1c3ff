/// Bounds on one message, for every encoding: protobuf over gRPC, JSON over HTTP.
public enum MessageLimits {
    /// Repeated elements, strings and nested messages in one message. The largest valid one, a consignment of 1,000
    /// containers with all their texts, has about 5,000. An empty element takes two bytes on the wire and a hundred in
    /// memory, so a limit on bytes alone bounds nothing.
    public static let elementsMax = 20_000
}
