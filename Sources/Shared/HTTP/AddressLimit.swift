import NIOCore

/// Bounds the connections that one address may have open, so that no caller takes those of all others.
public struct AddressLimit: Sendable {
    /// Connections of one address, over all event loops.
    public var connectionsMax: Int
    /// What of a peer's address counts as one caller; `nil` for peers that any number may come from, such as proxies.
    public var key: @Sendable (SocketAddress) -> UInt64?

    public init(connectionsMax: Int, key: @escaping @Sendable (SocketAddress) -> UInt64?) {
        self.connectionsMax = connectionsMax
        self.key = key
    }
}
