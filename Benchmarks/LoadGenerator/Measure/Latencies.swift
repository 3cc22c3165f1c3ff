/// Latencies in microseconds: below 2,048 exactly, longer ones to their first 11 bits, which is three digits. In the manner
/// of HdrHistogram, but in as little memory as the longest allows.
struct Latencies: Sendable {
    /// Longest that is told apart, in microseconds: longer than any time-out.
    static let microsecondsMax: Int64 = 600_000_000

    /// By ``index(of:)``.
    private var counts: [UInt32] = []
    private(set) var totalCount: UInt64 = 0
    /// The longest, in microseconds.
    private(set) var max: UInt64 = 0
    private var sum: UInt64 = 0

    /// In microseconds; 0 when nothing was recorded.
    var mean: Double { totalCount == 0 ? 0 : Double(sum) / Double(totalCount) }

    mutating func record(nanoseconds: Int64) {
        let value = UInt64(Swift.min(Swift.max(nanoseconds / 1_000, 0), Self.microsecondsMax))
        let index = Self.index(of: value)
        grow(to: index + 1)
        counts[index] += 1
        totalCount += 1
        max = Swift.max(max, value)
        sum += value
    }

    mutating func add(_ other: Latencies) {
        grow(to: other.counts.count)
        for (index, count) in other.counts.enumerated() { counts[index] += count }
        totalCount += other.totalCount
        max = Swift.max(max, other.max)
        sum += other.sum
    }

    /// The longest of so many percent; 0 when nothing was recorded.
    ///
    /// - Parameter percentile: 0 to 100.
    func microseconds(_ percentile: Double) -> UInt64 {
        // The next number down, as what is rounded up must not reach the next latency.
        let rank = (percentile.nextDown * Double(totalCount) / 100).rounded(.up)
        var total: UInt64 = 0
        for (index, count) in counts.enumerated() where count > 0 {
            total += UInt64(count)
            if Double(total) >= rank { return Swift.min(Self.last(at: index), max) }
        }
        return max
    }

    /// In milliseconds; `nil` when nothing was recorded.
    ///
    /// - Parameter percentile: 0 to 100.
    func milliseconds(_ percentile: Double) -> Double? {
        totalCount == 0 ? nil : Double(microseconds(percentile)) / 1_000
    }

    private mutating func grow(to count: Int) {
        if count > counts.count { counts += [UInt32](repeating: 0, count: count - counts.count) }
    }

    private static func index(of value: UInt64) -> Int {
        guard value >= 2_048 else { return Int(value) }
        let shift = 53 - value.leadingZeroBitCount
        return shift * 1_024 + Int(value >> UInt64(shift))
    }

    /// The greatest value with this index.
    private static func last(at index: Int) -> UInt64 {
        guard index >= 2_048 else { return UInt64(index) }
        let shift = index / 1_024 - 1
        return (UInt64(index - shift * 1_024 + 1) << UInt64(shift)) - 1
    }
}
