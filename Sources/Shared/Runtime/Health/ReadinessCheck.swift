/// One thing that must be well before a program takes calls, such as its store.
public struct ReadinessCheck: Sendable {
    /// Unique in a program; shown by `/readyz`.
    public let name: String
    let run: @Sendable () async -> String?

    /// - Parameter run: answers `nil` when all is well, else why not, in words without secrets. Called again and again,
    ///   one call at a time, off the event loops; it should give up within a second or two, but if it hangs, the check
    ///   counts as failed.
    public init(_ name: String, run: @escaping @Sendable () async -> String?) {
        self.name = name
        self.run = run
    }
}
