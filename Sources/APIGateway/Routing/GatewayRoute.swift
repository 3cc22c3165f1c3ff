import NIOCore
import RPC
import Transcoding

/// One RPC as the gateway offers it: JSON in, JSON out, and the bytes of messages on the way to the service.
struct GatewayRoute: Sendable {
    /// What the answer is made of.
    private enum Answer {
        case message
        /// The token and nothing else: the field of this number.
        case token(number: Int)
    }

    /// The service's name without its package, such as `VesselService`.
    let interface: String
    /// `vessel.VesselService/Create`, as metrics and logs have it.
    let fullName: String
    let request: MessageSchema
    let response: MessageSchema
    private let descriptor: MethodDescriptor
    private let schema: Schema
    private var answer = Answer.message

    /// Size from which answers are measured, in bytes; shorter ones are at most some tens of KiB as JSON.
    private static let measuredBytesMin = 4 * 1024

    /// - Parameter interface: the name that the service is offered under.
    init(_ method: Schema.Method, of schema: Schema, as interface: String) {
        self.interface = interface
        fullName = "\(method.descriptor.service)/\(method.descriptor.name)"
        request = method.request
        response = method.response
        descriptor = method.descriptor
        self.schema = schema
    }

    var method: String { descriptor.name }
    /// The service's name with its package, such as `vessel.VesselService`.
    var service: String { descriptor.service }

    /// The same RPC, whose answer is the text of the field `token` of its message; `nil` when there is none.
    var answeringToken: GatewayRoute? {
        guard let field = response.fields.first(where: { $0.name.hasSameBytes(as: "token") }), field.kind == .string
        else { return nil }
        var route = self
        route.answer = .token(number: field.number)
        return route
    }

    /// Calls the service with a request in JSON (`nil`: the empty message), and returns its answer in JSON.
    ///
    /// - Parameter root: the path of the request in error messages.
    /// - Throws: ``GatewayError`` for a request that does not fit the message, and ``Status`` from the call.
    func call(
        _ json: ByteBuffer?, root: String, _ metadata: Metadata, _ deadline: Deadline, _ client: RPCClient,
        _ memory: CallMemory
    ) async throws -> GatewayAnswer {
        let held = try memory.request(json)
        defer { withExtendedLifetime(held) {} }
        let message = try encode(json, root: root)
        let bytes = try await client.call(descriptor, message, metadata: metadata, deadline: deadline)
        return try bytes.withUnsafeBytes { bytes in
            switch answer {
            case .message: try decode(bytes, memory)
            case .token(let number): try decodeToken(bytes, number)
            }
        }
    }

    private func encode(_ json: ByteBuffer?, root: String) throws(GatewayError) -> FramedMessage {
        guard let json else { return FramedMessage(repeating: 0, count: 0) }
        let result = json.withUnsafeReadableBytes { bytes -> Result<[UInt8], JSONProblem> in
            do throws(JSONProblem) {
                return .success(
                    try JSONToWire.encode(bytes, as: request, of: schema, prefixLength: FramedMessage.prefixLength))
            } catch {
                return .failure(error)
            }
        }
        switch result {
        case .success(let bytes): return FramedMessage(roomBefore: bytes)
        case .failure(let problem): throw GatewayError(problem, root: root)
        }
    }

    private func decode(_ bytes: UnsafeRawBufferPointer, _ memory: CallMemory) throws -> GatewayAnswer {
        var held: MemoryReservation?
        var capacity = 0
        if bytes.count >= Self.measuredBytesMin {
            let size = JSONSize(bytes, as: response, of: schema)
            guard size.elements <= MessageLimits.elementsMax else { throw Status.tooManyElements(in: "the answer") }
            held = try memory.answer(jsonBytes: size.jsonBytes)
            capacity = size.jsonBytes
        }
        do throws(MalformedMessage) {
            let json = try WireToJSON.encode(bytes, as: response, of: schema, capacity: capacity)
            held?.shrink(to: json.count)
            return GatewayAnswer(body: ByteBuffer(bytes: json), memory: held)
        } catch {
            throw malformed
        }
    }

    private func decodeToken(_ bytes: UnsafeRawBufferPointer, _ number: Int) throws -> GatewayAnswer {
        let token: String
        do throws(MalformedMessage) {
            token = try WireText.text(ofField: number, in: bytes)
        } catch {
            throw malformed
        }
        var body = ByteBuffer()
        body.writeJSONString(token, after: "{\"token\": ")
        body.writeStaticString("}\n")
        return GatewayAnswer(body: body, memory: nil)
    }

    private var malformed: Status { Status(.internal, "the answer is not a valid \(response.name)") }
}

extension GatewayError {
    /// 400 for a request that does not fit its message, or 413.
    ///
    /// - Parameter root: path of the message itself, `request` or empty.
    init(_ problem: JSONProblem, root: String) {
        self.init(problem.isTooLarge ? 413 : 400, problem.text(root: root))
        // Relative to the message, as in the services' own errors.
        if !problem.isTooLarge {
            details = [.badRequest([ErrorDetail.FieldViolation(field: problem.path, description: detail)])]
        }
    }
}
