import NIOCore

/// A limit on the open connections of one address, so that one caller cannot take them all.
public struct AddressLimit: Sendable {
    /// Largest number of connections of one address, over all event loops.
    public var connectionsMax: Int
    /// Part of a peer's address that counts as one caller; `nil` for peers without a limit, such as proxies.
    public var key: @Sendable (SocketAddress) -> UInt64?

    public init(connectionsMax: Int, key: @escaping @Sendable (SocketAddress) -> UInt64?) {
        self.connectionsMax = connectionsMax
        self.key = key
    }
}
