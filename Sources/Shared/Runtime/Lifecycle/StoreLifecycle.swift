/// What a program needs of its store to start and stop with it.
public protocol StoreLifecycle: Sendable {
    /// Where the store is, without user, password or options, for logs and complaints.
    var storeAddress: String { get }

    /// Connects and makes the store ready for use: migrations, indexes. Called again after a failure, never twice at a
    /// time, and not again once it has returned.
    ///
    /// Must not block a thread of Swift's pool, and must return soon after its task is cancelled.
    /// - Throws: ``StorePermanentFailure`` when the store can't be used; after anything else it is called again, and the
    ///   description is logged, so it must hold no secret.
    func open() async throws

    /// `nil` when the store answers, else why not, without secrets. Called about once a second after ``open()``
    /// returned; must give up within about two seconds.
    func check() async -> String?

    /// Ends what ``open()`` began. Called once, after the last call was answered; also when ``open()`` never succeeded.
    func close() async
}

/// The error of a store that answers and can't be used: the program ends.
public struct StorePermanentFailure: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String
    /// Whether it may change without us, as for credentials: in a new cluster a database answers before its users are made.
    /// Such a failure ends the program only when it lasts for ``ServiceConfiguration/storeFailureGrace``.
    public let hasGracePeriod: Bool

    /// - Parameter description: one line without secrets.
    public init(_ description: String, hasGracePeriod: Bool = false) {
        self.description = description
        self.hasGracePeriod = hasGracePeriod
    }
}
