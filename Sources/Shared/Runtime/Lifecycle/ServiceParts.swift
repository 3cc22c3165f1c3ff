import ServiceLifecycle

/// What a program consists of, beside what all programs have. Made by ``ServiceProgram/build(_:)``.
public struct ServiceParts: Sendable {
    /// Takes the calls: ``ServiceRuntime/rpcServer(_:configure:)``, or the gateway's HTTP server.
    public var front: any Listener
    /// Opened at the start and waited for; the program is ready only while it answers.
    public var store: (any StoreLifecycle)?
    /// Runs once after the store opened and before the program is ready, such as seeding; tried again when it throws.
    public var prepare: @Sendable () async throws -> Void
    /// Run beside the front from the time that the store is open, such as a relay. Each must end on graceful shutdown.
    public var background: [any Service]

    public init(
        front: any Listener,
        store: (any StoreLifecycle)? = nil,
        background: [any Service] = [],
        prepare: @escaping @Sendable () async throws -> Void = {}
    ) {
        self.front = front
        self.store = store
        self.background = background
        self.prepare = prepare
    }
}
