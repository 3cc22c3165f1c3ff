import RPC

/// The rules of `port.PortService`.
struct PortHandlers: Sendable {
    /// Octets of a UN/LOCODE: a country's two letters and a place's three.
    static let codeLength = 5

    let repository: PortRepository

    /// What the service's server offers.
    func routes() -> [RPCRoute] {
        [RPCRoute(PortMethods.get) { try await get($0, $1) }]
    }

    func get(_ request: Port_GetRequest, _ context: RequestContext) async throws -> Port_Response {
        guard request.code.utf8.count == Self.codeLength else {
            throw PortError.invalid("code", "code must have \(Self.codeLength) letters, such as DEHAM")
        }
        guard let port = try await repository.port(code: request.code, deadline: context.deadline) else {
            throw PortError.unknownPort
        }
        var response = Port_Response()
        response.port = port
        return response
    }
}

/// The port service's errors, each with its gRPC status.
enum PortError: StatusConvertible, Equatable {
    /// - Parameters: the path of the field, and what is wrong with it.
    case invalid(String, String)
    case unknownPort

    var status: Status {
        switch self {
        case .invalid(let field, let reason): .invalid(field, reason)
        case .unknownPort: Status(.notFound, "there is no port with this code", reason: "UNKNOWN_PORT")
        }
    }
}
