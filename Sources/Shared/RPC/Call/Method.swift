import SwiftProtobuf

/// One RPC: what it is called and which messages it takes and answers.
///
/// Contracts holds one value per RPC; servers register handlers on it, and clients call it.
public struct Method<Request: Message, Response: Message>: Sendable {
    package let descriptor: MethodDescriptor
    let requestShape = MessageShape(of: Request.self)
    let responseShape = MessageShape(of: Response.self)

    public init(service: String, name: String, isIdempotent: Bool = false, isProbe: Bool = false) {
        descriptor = MethodDescriptor(service: service, name: name, isIdempotent: isIdempotent, isProbe: isProbe)
    }

    /// The full service name, such as `vessel.VesselService`.
    public var service: String { descriptor.service }
    /// The method's name, such as `Create`.
    public var name: String { descriptor.name }
    /// Whether doing it twice is the same as doing it once: the client may then retry it after a lost connection.
    public var isIdempotent: Bool { descriptor.isIdempotent }
    /// Whether it only asks how the service is. The client keeps room for such calls on every connection, and they overtake
    /// those that wait, so that a service whose calls take long is not taken for dead.
    public var isProbe: Bool { descriptor.isProbe }
    /// The HTTP/2 `:path`, `/service/name`.
    public var path: String { descriptor.path }
}

/// One RPC without the types of its messages, for callers that have their bytes.
package struct MethodDescriptor: Sendable {
    /// As ``Method/service``.
    package let service: String
    /// As ``Method/name``.
    package let name: String
    /// As ``Method/isIdempotent``.
    package let isIdempotent: Bool
    /// As ``Method/isProbe``.
    package let isProbe: Bool
    /// As ``Method/path``.
    package let path: String

    package init(service: String, name: String, isIdempotent: Bool, isProbe: Bool = false) {
        self.service = service
        self.name = name
        self.isIdempotent = isIdempotent
        self.isProbe = isProbe
        path = "/\(service)/\(name)"
    }
}
