import SwiftProtobuf
import Synchronization

/// One method as a server offers it: its path, and the handler between bytes and bytes.
public struct RPCRoute: Sendable {
    /// The full service name that it is reached under.
    public let service: String
    public let name: String
    public let path: String
    /// Whether it is answered whatever the load: for what watches over the service.
    public var isAlwaysAnswered = false

    typealias Invoke = @Sendable ([UInt8], RequestContext, MemoryBudget) async throws -> FramedMessage

    /// Takes the request message's bytes and the process's budget, returns a framed response.
    let invoke: Invoke

    /// - Parameters:
    ///   - service: another service name that the method answers under, such as `auth.Auth`.
    ///   - handler: runs on the connection's event loop until it first waits, and again after each wait; it must not
    ///     block. What it throws becomes a status by ``Status/init(_:)``.
    public init<Request: Message, Response: Message>(
        _ method: Method<Request, Response>,
        as service: String? = nil,
        handler: @escaping @Sendable (Request, RequestContext) async throws -> Response
    ) {
        let shape = method.requestShape
        self.init(method.name, of: service ?? method.service) { bytes, context, memory in
            // Held as long as the message lives.
            let reservation = try DecodedMemory.reserve(for: bytes, shape, of: memory)
            defer { withExtendedLifetime(reservation) {} }
            let response = try await handler(Self.decode(bytes), context)
            return try response.serializedBytes()
        }
    }

    /// A method whose handler decides when its request is decoded, for instance after authentication.
    public init<Request: Message, Response: Message>(
        encoded method: Method<Request, Response>,
        as service: String? = nil,
        handler: @escaping @Sendable (EncodedRequest<Request>, RequestContext) async throws -> Response
    ) {
        let shape = method.requestShape
        self.init(method.name, of: service ?? method.service) { bytes, context, memory in
            let request = EncodedRequest<Request>(bytes, shape, memory)
            // The message lives as long as the handler; its reservation, too.
            defer { withExtendedLifetime(request) {} }
            let response = try await handler(request, context)
            return try response.serializedBytes()
        }
    }

    private init(_ name: String, of service: String, invoke: @escaping Invoke) {
        self.service = service
        self.name = name
        self.path = "/\(service)/\(name)"
        self.invoke = invoke
    }

    fileprivate static func decode<Request: Message>(_ bytes: [UInt8]) throws(Status) -> Request {
        do {
            return try Request(knownFieldsOf: bytes)
        } catch {
            throw Status(.internal, "the request is not a valid \(Request.protoMessageName)")
        }
    }
}

/// A complete request that is not decoded yet.
public final class EncodedRequest<Request: Message>: Sendable {
    private let bytes: [UInt8]
    private let shape: MessageShape
    private let memory: MemoryBudget
    /// Set by ``decode()``, which may run on any thread.
    private let reservation = Mutex<MemoryReservation?>(nil)

    init(_ bytes: [UInt8], _ shape: MessageShape, _ memory: MemoryBudget) {
        self.bytes = bytes
        self.shape = shape
        self.memory = memory
    }

    /// Decodes a message of few bytes and elements, for which no memory has to be reserved.
    ///
    /// - Returns: `nil` for a larger one.
    /// - Throws: INTERNAL when the bytes are no such message.
    public func decodeIfSmall() throws -> Request? {
        DecodedMemory.isSmall(bytes, shape) ? try RPCRoute.decode(bytes) : nil
    }

    /// Decodes the message. Reserves memory for its elements from the process's budget until the call's end. Call it
    /// once.
    ///
    /// - Throws: RESOURCE_EXHAUSTED when the message has too many elements or there is no memory for it, INTERNAL when
    ///   the bytes are no such message.
    public func decode() throws -> Request {
        if let reserved = try DecodedMemory.reserve(for: bytes, shape, of: memory) {
            reservation.withLock { $0 = reserved }
        }
        return try RPCRoute.decode(bytes)
    }
}

extension Message {
    /// Decodes the message in `bytes` without its unknown fields, at any depth.
    ///
    /// Unknown fields would be stored and returned without any rule having checked them.
    package init(knownFieldsOf bytes: [UInt8]) throws {
        var options = BinaryDecodingOptions()
        options.discardUnknownFields = true
        try self.init(serializedBytes: bytes, options: options)
    }
}
