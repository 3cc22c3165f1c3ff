import RPC
import Runtime
import Testing

@testable import APIGateway

/// The flags and variables that the gateway has beside those of every program.
@Suite struct GatewaySettingsTests {
    @Test("the gateway has its own names for address, namespace and timeout")
    func gateway() throws {
        let environment = ["MICRO_API_ADDRESS": ":81", "MICRO_API_NAMESPACE": "go.micro"]
        let program = try APIGateway(["--address=:80", "--timeout=2"], environment: environment)
        #expect(program.configuration.address.port == 80)
        #expect(program.gateway.namespace == "go.micro" && program.gateway.timeout == .seconds(2))
        #expect(
            throws: ConfigurationError(
                "MICRO_API_NAMESPACE: 'a b' is not a namespace; write letters and digits, such as shippy")
        ) {
            try APIGateway([], environment: ["MICRO_API_NAMESPACE": "a b"])
        }
        #expect(try APIGateway([], environment: environment).configuration.address.port == 81)
        let (silent, standard) = (try APIGateway([]), APIGateway())
        #expect(silent.configuration == standard.configuration && silent.services == standard.services)
        #expect(silent.gateway.namespace == standard.gateway.namespace)
        #expect(silent.gateway.timeout == standard.gateway.timeout)
    }

    @Test("PORT is the gateway's port where nothing says an address, and no service's")
    func port() throws {
        func address(_ environment: [String: String], flags: [String] = []) throws -> HostPort {
            try APIGateway(flags, environment: environment).configuration.address
        }
        let port = ["PORT": "5000"]
        #expect(try address(port) == HostPort(host: "", port: 5_000))
        #expect(try address(port.merging(["MICRO_API_ADDRESS": ":81"]) { $1 }).port == 81)
        #expect(try address(port, flags: ["--address=:80"]).port == 80)
        #expect(try address(["PORT": "http"], flags: ["--address=:80"]).port == 80)
        for bad in ["http", "0", "65536", ":5000"] {
            #expect(throws: ConfigurationError("PORT: '\(bad)' is not a whole number from 1 to 65535")) {
                try APIGateway([], environment: ["PORT": bad])
            }
        }
        #expect(try Service([], environment: port).configuration.address.port == 8080)
    }

    /// A service without settings of its own.
    private struct Service: ServiceProgram {
        static let commandName = "service"
        static let abstract = "A service."
        static let serviceName = "service"
        static let ownSettings: [Setting<Service>] = []

        var configuration = ServiceConfiguration()

        func build(_ runtime: ServiceRuntime) throws -> ServiceParts { ServiceParts(front: runtime.rpcServer([])) }
    }

    @Test("micro's handler is accepted where it is the one that the gateway has")
    func handler() throws {
        let web = ["MICRO_API_HANDLER": "web"]
        #expect(throws: Never.self) { try APIGateway(["--handler=rpc", "--namespace=shippy"], environment: web) }
        #expect(throws: Never.self) { try APIGateway([], environment: ["MICRO_API_HANDLER": "rpc"]) }
        #expect(throws: ConfigurationError("--handler: 'web' is not a handler; the only one is rpc (POST /rpc)")) {
            try APIGateway(["--handler=web"])
        }
    }
}
