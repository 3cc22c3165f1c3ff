/// Decides when a request with an idempotency key is retried.
struct RetryPolicy {
    /// Including the first.
    static let triesMax = 5
    /// A failure that asks for a longer pause is not retried.
    static let pauseMax: Duration = .seconds(30)
    /// Longest pause before the second try; it doubles with each try.
    static let pauseMin: Duration = .milliseconds(250)

    private(set) var tries = 1

    /// - Parameters:
    ///   - failure: of the last try.
    ///   - random: 0 to 1; spreads the retries of clients that failed at the same time.
    /// - Returns: how long to wait before the next try; `nil` for no further try.
    mutating func pause(after failure: Failure, random: Double = .random(in: 0...1)) -> Duration? {
        let wanted = failure.retryAfter ?? .zero
        guard failure.mayRetry, tries < Self.triesMax, wanted <= Self.pauseMax else { return nil }
        let own = Self.pauseMin * (1 << (tries - 1)) * (0.5 + random / 2)
        tries += 1
        return wanted + own
    }
}
