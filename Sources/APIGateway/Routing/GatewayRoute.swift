import Contracts
import NIOCore
import RPC
import SwiftProtobuf

/// One RPC as the gateway offers it: JSON in, JSON out, the types erased.
struct GatewayRoute: Sendable {
    /// The service's name without its package, such as `VesselService`.
    let interface: String
    let method: String
    /// The service's name with its package, such as `vessel.VesselService`.
    let service: String
    /// Both, as metrics and logs have them: `vessel.VesselService/Create`.
    let fullName: String
    let request: MessageDescription
    let response: MessageDescription
    /// Decodes the JSON (`nil`: the empty message), calls the service and encodes its answer.
    ///
    /// Throws ``GatewayError`` for a request that does not fit the message, and ``Status`` from the call. The text is
    /// the path of the request in error messages.
    let invoke: Invoke

    typealias Invoke =
        @Sendable (JSONBytes?, _ root: String, Metadata, Deadline, RPCClient, CallMemory) async throws -> GatewayAnswer

    /// - Parameter interface: another name that the method is offered under.
    init<Request: DescribedMessage, Response: DescribedMessage>(
        _ method: Method<Request, Response>, as interface: String? = nil
    ) {
        self.interface = interface ?? String(method.service.split(separator: ".").last ?? "")
        self.method = method.name
        self.service = method.service
        self.fullName = "\(method.service)/\(method.name)"
        self.request = Request.messageDescription
        self.response = Response.messageDescription
        self.invoke = { json, root, metadata, deadline, client, memory in
            let held = try memory.request(json)
            defer { withExtendedLifetime(held) {} }
            let request = try Self.decode(json, as: Request.self, root: root)
            var taken: MemoryReservation?
            let response = try await client.call(method, request, metadata: metadata, deadline: deadline) {
                bytes throws(Status) in
                guard bytes.count >= AnswerSize.bytesMin else { return }
                let size = bytes.withUnsafeBytes { AnswerSize($0, as: Response.messageDescription) }
                guard size.elements <= MessageLimits.elementsMax else {
                    throw Status(.resourceExhausted, "the answer has more than \(MessageLimits.elementsMax) elements")
                }
                taken = try memory.answer(jsonBytes: size.jsonBytes)
            }
            let answer: JSONBytes = try response.jsonUTF8Bytes(options: Self.encodingOptions)
            taken?.shrink(to: answer.count)
            return GatewayAnswer(body: answer.buffer, memory: taken)
        }
    }

    private init<Request: DescribedMessage, Response: DescribedMessage>(
        _ method: Method<Request, Response>, invoke: @escaping Invoke
    ) {
        interface = String(method.service.split(separator: ".").last ?? "")
        self.method = method.name
        service = method.service
        fullName = "\(method.service)/\(method.name)"
        request = Request.messageDescription
        response = Response.messageDescription
        self.invoke = invoke
    }

    /// Auth that answers the token and nothing else.
    static let login = GatewayRoute(UserMethods.auth) { json, root, metadata, deadline, client, _ in
        let request = try decode(json, as: User_User.self, root: root)
        let token = try await client.call(UserMethods.auth, request, metadata: metadata, deadline: deadline).token
        var body = ByteBuffer()
        body.writeStaticString("{\"token\": ")
        body.writeJSONString(token)
        body.writeStaticString("}\n")
        return GatewayAnswer(body: body, memory: nil)
    }

    private static func decode<Request: DescribedMessage>(
        _ json: JSONBytes?, as type: Request.Type, root: String
    ) throws -> Request {
        guard let json else { return Request() }
        let masks = try RequestCheck.check(json, as: Request.messageDescription, root: root)
        do {
            return try Request(jsonUTF8Bytes: json.lowerCamelCasing(masks).resolvingPairs)
        } catch {
            // A request that passed the check can be decoded. Should the two ever differ, the error still blames the
            // request.
            let path = root.isEmpty ? "" : "\(root): "
            throw GatewayError(400, "\(path)not a valid \(Request.messageDescription.name)")
        }
    }

    private static let encodingOptions: JSONEncodingOptions = {
        var options = JSONEncodingOptions()
        options.preserveProtoFieldNames = true
        return options
    }()
}
