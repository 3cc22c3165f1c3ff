import HTTP
import NIOCore
import NIOSSL
import RPC
import Transcoding

/// How a gateway is set up. Plain values; flags and variables are read elsewhere.
struct GatewayConfiguration: Sendable {
    /// A service behind the gateway.
    struct Upstream: Sendable {
        /// The short name that callers use: `vessel`, `user` or `consignment`.
        var name: String
        var address: HostPort
        /// `nil` speaks plaintext HTTP/2.
        var tls: NIOSSLContext?
    }

    /// Address, TLS and the limits on requests.
    var http: HTTPServer.Configuration
    /// The services, methods and messages that there are.
    var schema = Schema.contracts
    /// The services that can be reached; one that is not listed is unknown to callers.
    var upstreams: [Upstream]
    /// The prefix taken off `service` and put before the ids of errors; empty for none.
    var namespace = "shippy"
    /// How long a service has for its answer.
    var timeout: Duration = .seconds(5)
    /// How long a call waits for a connection to a service that has none at the moment, within ``timeout``.
    var connectWait: Duration = .seconds(2)
    /// Whether calls queue, and are shed with 429 where they have waited for too long.
    var shedsLoad = true
    /// Requests that one address may make in a second; `nil` for any number.
    var rateLimit: Int?
    /// Tells ``rateLimit`` the time.
    var rateClock: @Sendable () -> NIODeadline = { .now() }
    /// Proxies that are believed about whom a request is from.
    var trustedProxies: TrustedProxies?
    /// A folder whose files are served at `/`; read once, at the start.
    var staticDirectory: String?
    /// How long a readiness check waits for a service.
    var readinessTimeout: Duration = .seconds(1)
    /// How long the outcome of a readiness check stands, so that probes can't add up.
    var readinessLifetime: Duration = .seconds(1)

    init(address: HostPort, upstreams: [Upstream] = Upstream.all()) {
        self.http = HTTPServer.Configuration(address: address)
        self.upstreams = upstreams
    }

    /// A client takes its memory from the same budget as the server.
    func client(of upstream: Upstream) -> RPCClient.Configuration {
        var client = RPCClient.Configuration(target: upstream.address, tls: upstream.tls)
        client.memory = http.memory
        client.connectWait = connectWait
        return client
    }
}

extension GatewayConfiguration.Upstream {
    /// The public services where the static selector has them: the service's name is its DNS name, port 8080.
    static func all() -> [GatewayConfiguration.Upstream] {
        RouteTable.serviceNames.map { .init(name: $0, address: HostPort(host: $0, port: 8080)) }
    }
}
