import SwiftProtobuf

/// One method as a server offers it: its path, and the handler between bytes and bytes.
public struct RPCRoute: Sendable {
    /// The full service name that it is reached under.
    public let service: String
    public let name: String
    public let path: String
    /// Whether it is answered whatever the load: for what watches over the service.
    public var isAlwaysAnswered = false

    /// Takes the request message's bytes, answers a framed response.
    let invoke: @Sendable ([UInt8], RequestContext) async throws -> FramedMessage

    /// - Parameters:
    ///   - service: another service name that the method answers under, such as `auth.Auth`.
    ///   - handler: runs on the connection's event loop until it first waits, and again after each wait; it must not
    ///     block. What it throws becomes a status by ``Status/init(_:)``.
    public init<Request: Message, Response: Message>(
        _ method: Method<Request, Response>,
        as service: String? = nil,
        handler: @escaping @Sendable (Request, RequestContext) async throws -> Response
    ) {
        self.service = service ?? method.service
        self.name = method.name
        self.path = "/\(self.service)/\(method.name)"
        self.invoke = { bytes, context in
            let request: Request
            do {
                request = try Request(serializedBytes: bytes)
            } catch {
                throw Status(.internal, "the request is not a valid \(Request.protoMessageName)")
            }
            let response = try await handler(request, context)
            return try response.serializedBytes()
        }
    }
}
