/// What a ``ConnectionPool`` asks of the connections that it owns.
///
/// A connection lives on one thread: the factory makes it there, and it is called and closed nowhere else. So it need not
/// be `Sendable`. It is a class, so that every pool passes it to a call's body as the body takes it: otherwise each
/// body would be wrapped in another closure.
public protocol PooledConnection: AnyObject, SendableMetatype {
    /// Runs `jobs` once, inside whatever the driver shares between the calls of a batch (for SQLite, one transaction).
    ///
    /// No caller has an answer before this returns; when it throws, every call of the batch fails with that error.
    func runBatch(_ jobs: () -> Void) throws

    /// False when a call left the connection in a state in which it can't be used any more, whatever error it ended with:
    /// the pool then replaces it. Asked after each call.
    var isUsable: Bool { get }

    /// Asks the store for a sign of life. Called after each idle interval; throwing means that the connection is lost.
    func ping() throws

    /// Ends the connection. Nothing is called after it.
    func close()
}

extension PooledConnection {
    public func runBatch(_ jobs: () -> Void) throws { jobs() }
    public var isUsable: Bool { true }
    public func ping() throws {}
    public func close() {}
}
