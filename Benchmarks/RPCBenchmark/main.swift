import Contracts
import Logging
import NIOPosix
import RPC
let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
let server = RPCServer(routes: [RPCRoute(VesselMethods.create) { vessel, _ in
    Vessel_Response.with { $0.vessel = vessel; $0.created = true } }],
    configuration: .init(address: HostPort(host: "127.0.0.1", port: Int(CommandLine.arguments[1])!)), group: group, logger: Logger(label: "x"))
print(try await server.start())
try await Task.sleep(for: .seconds(3600))
