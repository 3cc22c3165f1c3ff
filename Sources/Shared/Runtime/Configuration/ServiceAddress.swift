import RPC

/// Where another service is reached.
public enum ServiceAddress {
    /// The port of the static rule: a service's name is its DNS name, and it listens here.
    public static let staticPort = 8080

    /// The variable that overrides the static rule, such as `VESSEL_ADDRESS`.
    static func variable(of name: String) -> String { name.uppercased() + "_ADDRESS" }

    /// `NAME_ADDRESS` when it is set, as in local runs, else the static rule.
    ///
    /// - Parameter name: the service's short name, such as `vessel`.
    /// - Throws: ``ConfigurationError`` when the variable is not host:port.
    public static func resolve(
        _ name: String, environment: [String: String]
    ) throws(ConfigurationError) -> HostPort {
        let reachable = ValueParser(complaint: "is not host:port, such as \(name):\(staticPort)") { text -> HostPort? in
            guard let address = HostPort(text), !address.host.isEmpty, address.port != 0 else { return nil }
            return address
        }
        return try Settings(environment: environment).value(variable(of: name), reachable)
            ?? HostPort(host: name, port: staticPort)
    }
}
