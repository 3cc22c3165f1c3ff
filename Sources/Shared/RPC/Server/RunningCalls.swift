import Synchronization

/// The number of calls that run in a server, over all its connections, and the bound on it.
final class RunningCalls: Sendable {
    static let refusal = Status(
        .resourceExhausted, "too many calls run; try again in 1 s", metadata: ["retry-after": "1"])

    private let max: Int
    private let count = Atomic(0)
    private let refused = Atomic(0)

    init(max: Int) {
        self.max = max
    }

    /// Counts one more, unless there are enough.
    func begin() -> Bool {
        let (before, _) = count.add(1, ordering: .relaxed)
        if before < max { return true }
        end()
        refused.add(1, ordering: .relaxed)
        return false
    }

    func end() {
        count.subtract(1, ordering: .relaxed)
    }

    var refusedCount: Int { refused.load(ordering: .relaxed) }
}
