import Synchronization

/// The number of calls that run in a server, over all its connections, and the bound on it.
///
/// The first half of the places is for whoever comes. Of the second, no connection takes more than its share, so that a few
/// that fill the server, and perhaps never read an answer, leave room for the calls of others.
final class RunningCalls: Sendable {
    static let refusal = Status(
        .resourceExhausted, "too many calls run; try again in 1 s", metadata: ["retry-after": "1"])

    /// A connection's share is at least this.
    private static let shareMin = 16

    private let max: Int
    private let count = Atomic(0)
    private let refused = Atomic(0)

    init(max: Int) {
        self.max = max
    }

    /// Counts one more, unless there are enough.
    ///
    /// - Parameters:
    ///   - running: calls of the same connection that run.
    ///   - connections: the number of connections open; asked for only when half of the places are taken.
    func begin(running: Int, connections: () -> Int) -> Bool {
        let (before, _) = count.add(1, ordering: .relaxed)
        if before < max / 2 { return true }
        if before < max {
            let others = connections() - 1
            if others <= 0 || running < Swift.max(Self.shareMin, max / 2 / (others + 1)) { return true }
        }
        end()
        refused.add(1, ordering: .relaxed)
        return false
    }

    func end() {
        count.subtract(1, ordering: .relaxed)
    }

    var refusedCount: Int { refused.load(ordering: .relaxed) }
}
