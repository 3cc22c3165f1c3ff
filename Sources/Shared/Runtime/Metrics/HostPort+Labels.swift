import RPC

extension HostPort {
    /// The labels of a series about a server that is called.
    public var labels: [(String, String)] { [("server_address", host), ("server_port", "\(port)")] }
}
