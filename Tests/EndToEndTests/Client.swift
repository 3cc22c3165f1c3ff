import Contracts
import Logging
import NIOCore
import NIOPosix
import RPC
import TestSupport

/// Runs `body` with a gRPC client of a service, which is closed afterwards.
func withClient<Result>(
    of service: Program, connectWait: Duration = .seconds(15), _ body: (RPCClient) async throws -> Result
) async throws -> Result {
    var configuration = RPCClient.Configuration(target: HostPort(host: "127.0.0.1", port: service.port))
    configuration.connectWait = connectWait
    let client = RPCClient(
        configuration: configuration, group: .singleton,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    do {
        let result = try await body(client)
        await client.shutdown()
        return result
    } catch {
        await client.shutdown()
        throw error
    }
}

extension RPCClient {
    /// Stores a vessel with this id, which is its name too.
    @discardableResult
    func create(_ id: String, within timeout: Duration = .seconds(20)) async throws -> Vessel_Response {
        var vessel = Vessel_Vessel()
        vessel.id = id
        vessel.name = id
        vessel.capacity = 200
        vessel.maxWeight = 100_000
        return try await call(VesselMethods.create, vessel, deadline: .after(timeout))
    }

    @discardableResult
    func find(_ capacity: Int32) async throws -> Vessel_Response {
        var specification = Vessel_Specification()
        specification.capacity = capacity
        return try await call(VesselMethods.findAvailable, specification, deadline: .after(.seconds(20)))
    }

    /// How a call ends.
    func status(_ body: (RPCClient) async throws -> some Any) async -> Status.Code {
        do {
            _ = try await body(self)
            return .ok
        } catch {
            return Status(error).code
        }
    }
}
