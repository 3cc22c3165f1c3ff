import RPC

/// Names for things that came without one.
package enum Identifier {
    /// 128 random bits of the system's generator as 32 hexadecimal digits.
    package static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        return Hexadecimal.text(generator.next(), generator.next())
    }
}

/// Makes ids that grow with time, so that their order is the order of age and new ones go to the end of an index.
///
/// Within a process each is larger than the one before, and than the newest stored one, whatever the clock does; see
/// ``MonotonicTimestamps``. Between processes their clocks decide.
package final class OrderedIdentifiers: Sendable {
    /// Digits of an id: 16 for microseconds since 1970, 16 of chance.
    package static let length = 32
    private static let timeDigits = 16
    /// All our ids are smaller than this.
    package static let end = Hexadecimal.text(UInt64(MonotonicTimestamps.end), 0)

    private let times: MonotonicTimestamps

    /// - Parameter now: microseconds since 1970 in UTC.
    package init(now: @escaping @Sendable () -> Int64 = { WallClock.microseconds }) {
        times = MonotonicTimestamps(now: now)
    }

    /// Whether ``record(newest:)`` must be called before ``next()``.
    package var needsNewest: Bool { times.needsNewest }

    /// Continues from the newest stored id.
    ///
    /// - Parameter newest: the largest stored id below ``end``; `nil` when there is none. An id that is not ours counts
    ///   as none.
    package func record(newest: String?) {
        times.record(newest: newest.flatMap(Self.microseconds))
    }

    /// 32 hexadecimal digits.
    package func next() -> String {
        Hexadecimal.text(UInt64(times.next()), .random(in: .min ... .max))
    }

    /// When an id of ours was made, in microseconds since 1970 in UTC; `nil` for another's.
    package static func microseconds(of id: String) -> Int64? {
        guard isWellFormed(id), let time = Int64(String(Substring(id.utf8.prefix(timeDigits))), radix: 16),
            time < MonotonicTimestamps.end
        else { return nil }
        return time
    }

    /// Whether a text could be one of ours.
    package static func isWellFormed(_ id: some StringProtocol) -> Bool {
        id.utf8.count == length
            && id.utf8.allSatisfy {
                ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9"))
                    || ($0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "f"))
            }
    }
}
