/// How long to wait before the next attempt: grows from `first` by `factor` up to `longest`, give or take `jitter`, so
/// that clients that lost the same server do not come back at the same moment.
package struct Backoff: Sendable {
    package var first: Duration = .milliseconds(100)
    package var factor = 1.6
    package var longest: Duration = .seconds(5)
    /// The share by which a wait varies, 0 to 1.
    package var jitter = 0.2
    /// Whether a wait may also be longer by it, or only shorter.
    package var lengthens = true

    package init() {}

    /// - Parameters:
    ///   - attempt: failed attempts so far, from 1.
    ///   - random: 0 ..< 1.
    package func wait(after attempt: Int, random: Double) -> Duration {
        var wait = first
        for _ in 1..<max(2, min(attempt, 64)) where attempt > 1 && wait < longest { wait = wait * factor }
        return min(wait, longest) * (1 - jitter + (lengthens ? 2 : 1) * jitter * random)
    }
}
