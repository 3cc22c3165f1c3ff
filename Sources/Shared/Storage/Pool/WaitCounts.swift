import NIOCore

/// How long calls waited for a thread, as counts of ranges. Plain values: the pool's lock guards them.
public struct WaitCounts: Sendable, Equatable {
    /// Upper bounds of the ranges, in nanoseconds; what is above the last has a count of its own.
    public static let boundsNanoseconds: [Int64] = [
        100_000, 250_000, 1_000_000, 2_500_000, 10_000_000, 25_000_000, 100_000_000, 250_000_000, 1_000_000_000,
        5_000_000_000,
    ]

    /// Per range, not cumulative; one more than there are bounds.
    public private(set) var counts = [UInt64](repeating: 0, count: boundsNanoseconds.count + 1)
    public private(set) var nanoseconds: UInt64 = 0

    public init() {}

    mutating func add(_ wait: TimeAmount) {
        var index = 0
        while index < Self.boundsNanoseconds.count, wait.nanoseconds > Self.boundsNanoseconds[index] { index += 1 }
        counts[index] += 1
        nanoseconds &+= UInt64(max(0, wait.nanoseconds))
    }
}
