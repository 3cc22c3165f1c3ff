import Contracts
import Logging
import NIOPosix
import RPC

/// A user service that finds good every token that ``token(of:roles:)`` makes, on a socket of its own.
public struct UserStandIn: Sendable {
    public let client: RPCClient
    private let server: RPCServer

    public static func start() async throws -> UserStandIn {
        let logger = Logger(label: "test")
        let port = try Ports.free()
        let address = HostPort(host: "127.0.0.1", port: port)
        let route = RPCRoute(UserMethods.validateToken) { token, _ in
            guard token.token.hasSuffix(".signature") else { throw Status(.unauthenticated, "the token is not valid") }
            return .with { $0.valid = true }
        }
        let server = RPCServer(
            routes: [route], configuration: .init(address: address), group: .singleton, logger: logger)
        _ = try await server.start()
        let client = RPCClient(configuration: .init(target: address), group: .singleton, logger: logger)
        return UserStandIn(client: client, server: server)
    }

    public func stop() async {
        await client.shutdown()
        await server.drain(timeout: .milliseconds(50))
    }

    /// A token as the user service makes them, but for the signature.
    public static func token(of user: String, roles: [String] = [], expiry: Int64 = 4_000_000_000) -> String {
        let list = roles.map { "\"\($0)\"" }.joined(separator: ",")
        let details = roles.isEmpty ? "" : #","roles":[\#(list)]"#
        let claims = #"{"iss":"shippy.user","sub":"\#(user)","exp":\#(expiry),"user":{"id":"\#(user)"\#(details)}}"#
        return "eyJhbGciOiJIUzI1NiJ9.\(Base64.encode(Array(claims.utf8))).signature"
    }
}
