/// How long to wait before the next attempt: grows from `first` by `factor` up to `longest`, give or take `jitter`, so
/// that clients that lost the same server do not come back at the same moment.
package struct Backoff: Sendable {
    package var first: Duration
    package var factor: Double
    package var longest: Duration
    /// The share by which a wait varies, 0 to 1.
    package var jitter: Double
    /// Whether a wait may also be longer by it, or only shorter.
    package var lengthens: Bool

    package init(
        first: Duration = .milliseconds(100), factor: Double = 1.6, longest: Duration = .seconds(5),
        jitter: Double = 0.2, lengthens: Bool = true
    ) {
        self.first = first
        self.factor = factor
        self.longest = longest
        self.jitter = jitter
        self.lengthens = lengthens
    }

    /// - Parameters:
    ///   - attempt: failed attempts so far, from 1.
    ///   - random: 0 ..< 1.
    package func wait(after attempt: Int, random: Double) -> Duration {
        var wait = first
        for _ in 1..<max(2, min(attempt, 64)) where attempt > 1 && wait < longest { wait = wait * factor }
        return min(wait, longest) * (1 - jitter + (lengthens ? 2 : 1) * jitter * random)
    }
}
