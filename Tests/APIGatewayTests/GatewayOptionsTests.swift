import RPC
import Runtime
import Testing

@testable import APIGateway

/// The flags and variables that the gateway has beside those of every program.
@Suite struct GatewayOptionsTests {
    @Test("the gateway has its own names for address, namespace and timeout")
    func gateway() throws {
        let options = try GatewayOptions.parse(["--address=:80", "--timeout=2"])
        let environment = ["MICRO_API_ADDRESS": ":81", "MICRO_API_NAMESPACE": "go.micro"]
        #expect(try options.configuration(environment: environment).address.port == 80)
        let settings = try GatewaySettings(options, environment: environment)
        #expect(settings.namespace == "go.micro" && settings.upstreamTimeout == .seconds(2))
        #expect(throws: ConfigurationError.self) {
            try GatewaySettings(options, environment: ["MICRO_API_NAMESPACE": "a b"])
        }
        let silent = try GatewayOptions.parse([])
        #expect(try silent.configuration(environment: environment).address.port == 81)
        #expect(try GatewaySettings(silent, environment: [:]) == GatewaySettings())
    }

    @Test("PORT is the gateway's port where nothing says an address, and no service's")
    func port() throws {
        let silent = try GatewayOptions.parse([])
        let port = ["PORT": "5000"]
        let address = HostPort(host: "", port: 5_000)
        #expect(try silent.configuration(environment: port).address == address)
        let variable = port.merging(["MICRO_API_ADDRESS": ":81"]) { $1 }
        #expect(try silent.configuration(environment: variable).address.port == 81)
        let flag = try GatewayOptions.parse(["--address=:80"])
        #expect(try flag.configuration(environment: port).address.port == 80)
        #expect(try flag.configuration(environment: ["PORT": "http"]).address.port == 80)
        for bad in ["http", "0", "65536", ":5000"] {
            #expect(throws: ConfigurationError("PORT: '\(bad)' is not a whole number from 1 to 65535")) {
                try silent.configuration(environment: ["PORT": bad])
            }
        }
        let service = try ServiceConfiguration(ServiceOptions.parse([]), environment: port)
        #expect(service.address.port == 8080)
    }

    @Test("micro's handler is accepted where it is the one that the gateway has")
    func handler() throws {
        let options = try GatewayOptions.parse(["--handler=rpc", "--namespace=shippy"])
        #expect(try GatewaySettings(options, environment: ["MICRO_API_HANDLER": "web"]) == GatewaySettings())
        let silent = try GatewayOptions.parse([])
        #expect(try GatewaySettings(silent, environment: ["MICRO_API_HANDLER": "rpc"]) == GatewaySettings())
        #expect(throws: ConfigurationError("--handler: 'web' is not a handler; the only one is rpc (POST /rpc)")) {
            try GatewaySettings(GatewayOptions.parse(["--handler=web"]), environment: [:])
        }
    }
}
