/// What a program needs of its store to start and stop with it.
public protocol StoreLifecycle: Sendable {
    /// Where the store is, without user, password or options, for logs and complaints.
    var storeAddress: String { get }

    /// Connects and makes the store ready for use: migrations, indexes. Called again after a failure, never twice at a
    /// time, and not again once it has returned.
    ///
    /// Must not block a thread of Swift's pool, and must return soon after its task is cancelled.
    /// - Throws: ``StoreRefusal`` when the store will not have us; anything else is tried again, and its description is
    ///   logged, so it must hold no secret.
    func open() async throws

    /// `nil` when the store answers, else why not, without secrets. Called about once a second after ``open()``
    /// returned; must give up within about two seconds.
    func check() async -> String?

    /// Ends what ``open()`` began. Called once, after the last call was answered; also when ``open()`` never succeeded.
    func close() async
}

/// A store that is there and says no: the program ends.
public struct StoreRefusal: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String
    /// Whether it may change without us, as for credentials: in a new cluster a database answers before its users are made.
    /// Such a refusal ends the program only when it lasts for ``ServiceConfiguration/refusalPatience``.
    public let isProvisional: Bool

    /// - Parameter description: one line without secrets.
    public init(_ description: String, isProvisional: Bool = false) {
        self.description = description
        self.isProvisional = isProvisional
    }
}
