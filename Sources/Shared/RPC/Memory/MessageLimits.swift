/// Bounds on one message that hold for every way in: protobuf over gRPC, JSON over HTTP.
public enum MessageLimits {
    /// Repeated elements, strings and nested messages in one message. The largest that a rule lets through, a consignment of
    /// 1,000 containers with all their texts, has about 5,000; an empty one takes two bytes on the wire and a hundred in
    /// memory, so that bytes alone bound nothing.
    public static let elementsMax = 20_000
}
