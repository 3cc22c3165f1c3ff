import SwiftProtobuf

/// One RPC: what it is called and which messages it takes and answers.
///
/// Contracts holds one value per RPC; servers register handlers on it, clients call it, and the gateway lists it.
public struct Method<Request: Message, Response: Message>: Sendable {
    /// The full service name, such as `vessel.VesselService`.
    public let service: String
    /// The method's name, such as `Create`.
    public let name: String
    /// Whether doing it twice is the same as doing it once: the client may then repeat it after a lost connection.
    public let isIdempotent: Bool
    /// Whether it only asks how the service is. The client keeps room for such calls on every connection, and they overtake
    /// those that wait, so that a service whose calls take long is not taken for dead.
    public let isProbe: Bool
    /// The HTTP/2 `:path`, `/service/name`.
    public let path: String

    public init(service: String, name: String, isIdempotent: Bool = false, isProbe: Bool = false) {
        self.service = service
        self.name = name
        self.isIdempotent = isIdempotent
        self.isProbe = isProbe
        self.path = "/\(service)/\(name)"
    }
}
