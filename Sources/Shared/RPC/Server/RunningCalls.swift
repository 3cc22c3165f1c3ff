import Synchronization

/// Counter of a server's running calls, over all its connections, with a limit.
///
/// The first half of the places is open to every connection. Of the second half no connection takes more than its
/// share, so that a few that fill the server, and perhaps never read an answer, leave room for the calls of others.
final class RunningCalls: Sendable {
    static let overloaded = Status(
        .resourceExhausted, "too many calls run; try again in 1 s", metadata: ["retry-after": "1"])

    /// Smallest share of a connection.
    private static let shareMin = 16

    private let max: Int
    private let count = Atomic(0)
    private let shed = Atomic(0)

    init(max: Int) {
        self.max = max
    }

    /// Counts one more call; false when there are too many.
    ///
    /// - Parameters:
    ///   - running: calls of the same connection that run.
    /// - connections: the number of open connections; called only when half of the places are taken.
    func begin(running: Int, connections: () -> Int) -> Bool {
        let (before, _) = count.add(1, ordering: .relaxed)
        if before < max / 2 { return true }
        if before < max {
            let others = connections() - 1
            if others <= 0 || running < Swift.max(Self.shareMin, max / 2 / (others + 1)) { return true }
        }
        end()
        shed.add(1, ordering: .relaxed)
        return false
    }

    func end() {
        count.subtract(1, ordering: .relaxed)
    }

    /// Calls that were shed so far.
    var shedCount: Int { shed.load(ordering: .relaxed) }
}
