import RPC
import Runtime

extension APIGateway {
    static var sharedSettings: [Setting<APIGateway>] { commonSettings }

    static let ownSettings: [Setting<APIGateway>] = [
        // Platforms that run containers behind a router of theirs choose the port and say it so (12-factor). Read
        // before the address, which clears it: what it says does not matter then.
        Setting(
            variable: "PORT", .text, "the gateway's port, if neither `--address` nor its variable sets an address"
        ) { $0.port = $1 },
        Setting(
            flag: "address", takes: "host:port", variable: "MICRO_API_ADDRESS", .address, otherwise: "`:8080`",
            "address that the gateway listens on"
        ) {
            $0.configuration.address = $1
            $0.port = nil
        },
        Setting(
            flag: "namespace", takes: "name", variable: "MICRO_API_NAMESPACE", .namespace, default: "shippy",
            "prefix that is removed from `service`"
        ) { $0.gateway.namespace = $1 },
        Setting(
            flag: "handler", takes: "name", variable: "MICRO_API_HANDLER",
            .only("rpc", complaint: "is not a handler; the only one is rpc (POST /rpc)"), default: "rpc",
            "accepted for micro's manifests; only `rpc`"
        ) { _, _ in },
        Setting(
            flag: "timeout", takes: "seconds", variable: "UPSTREAM_TIMEOUT", .duration, default: "5",
            "deadline of a call to a service"
        ) { $0.gateway.timeout = $1 },
        Setting(
            flag: "static", takes: "folder", variable: "STATIC_DIR", .text,
            "directory of files to serve at `/`, such as `ui`"
        ) { $0.gateway.staticDirectory = $1 },
        Setting(
            flag: "rate_limit", takes: "count", variable: "RATE_LIMIT", .integer(RateLimiter.rateRange),
            otherwise: "no limit",
            """
            requests per second of one address (IPv6: one /64), with a burst of twice as many; 429 beyond. Its open \
            connections are limited to the burst, but at least 16; a further one closes the one that has been idle the \
            longest
            """
        ) { $0.gateway.rateLimit = $1 },
        Setting(
            flag: "trusted_proxies", takes: "proxies", variable: "TRUSTED_PROXIES", .trustedProxies, otherwise: "none",
            """
            proxies whose `X-Forwarded-For` is trusted for that address: how many stand in front of the gateway, or \
            their networks, such as `10.0.0.0/8,fd00::/8`
            """
        ) { $0.gateway.trustedProxies = $1 },
        Setting(
            flag: "services", takes: "names", variable: "SERVICES", .serviceNames,
            default: RouteTable.serviceNames.joined(separator: ","), "the services that callers can reach"
        ) { $0.services = $1 },
    ]

    private static let portRange = 1...65_535

    mutating func checkSettings() throws(ConfigurationError) {
        guard let port else { return }
        let number = try ValueParser<Int>.integer(Self.portRange).value(port, of: "PORT")
        configuration.address = HostPort(host: "", port: number)
    }
}

extension ValueParser where Value == String {
    fileprivate static var namespace: ValueParser {
        ValueParser(complaint: "is not a namespace; write letters and digits, such as shippy") { text in
            let isName = text.utf8.allSatisfy { $0.isAlphanumericASCII || "-._".utf8.contains($0) }
            return isName && !text.isEmpty ? text : nil
        }
    }
}

extension ValueParser where Value == TrustedProxies {
    fileprivate static var trustedProxies: ValueParser {
        ValueParser(
            complaint: "is neither a number from 1 to \(TrustedProxies.hopsMax) nor networks such as 10.0.0.0/8"
        ) { TrustedProxies($0) }
    }
}

extension ValueParser where Value == [String] {
    /// Names of services that may be reached from outside, each once.
    fileprivate static var serviceNames: ValueParser {
        let known = RouteTable.serviceNames
        return ValueParser(complaint: "are not names of \(known.joined(separator: ",")), with commas") { text in
            let names = text.split(separator: ",").map(String.init)
            guard !names.isEmpty, Set(names).count == names.count, names.allSatisfy(known.contains) else { return nil }
            return names
        }
    }
}
