import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Makes ids that grow with time, so that their order is the order of age and new ones go to the end of an index.
///
/// Within a process each is larger than the one before, whatever the clock does; between processes their clocks decide.
package final class OrderedIdentifiers: Sendable {
    /// Digits of an id: 16 for microseconds since 1970, 16 of chance.
    package static let length = 32

    private let last = Atomic<UInt64>(0)

    package init() {}

    /// 32 hexadecimal digits.
    package func next() -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let now = UInt64(max(0, time.tv_sec)) * 1_000_000 + UInt64(max(0, time.tv_nsec)) / 1_000
        var previous = last.load(ordering: .relaxed)
        while true {
            let mine = max(now, previous + 1)
            let (isMine, current) = last.compareExchange(expected: previous, desired: mine, ordering: .relaxed)
            if isMine { return Identifier.hexadecimal(mine, .random(in: .min ... .max)) }
            previous = current
        }
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
