import NIOCore

/// The moment after which nobody waits for a call's answer any more, on the monotonic clock.
public struct Deadline: Sendable, Equatable, Comparable {
    public let instant: NIODeadline

    public init(_ instant: NIODeadline) {
        self.instant = instant
    }

    /// A call without a deadline.
    public static let never = Deadline(.distantFuture)

    /// `duration` from now; one that the clock can't count is ``never``, one below zero has passed.
    public static func after(_ duration: Duration) -> Deadline {
        guard duration > .zero else { return Deadline(.now()) }
        let nanoseconds = UInt64(TimeAmount(duration).nanoseconds)
        let (end, overflow) = NIODeadline.now().uptimeNanoseconds.addingReportingOverflow(nanoseconds)
        return overflow || end >= Int64.max ? .never : Deadline(.uptimeNanoseconds(end))
    }

    public static func < (left: Deadline, right: Deadline) -> Bool {
        left.instant < right.instant
    }

    public var isNever: Bool { instant == .distantFuture }

    public var isExpired: Bool { !isNever && instant <= .now() }

    /// What is left, never negative. Meaningless for ``never``: about 292 years.
    public var remaining: Duration {
        let left = instant - .now()
        return .nanoseconds(max(0, left.nanoseconds))
    }
}

extension Deadline {
    /// Nanoseconds of a `grpc-timeout` value: 1 to 8 digits and one of H M S m u n. `nil` when malformed.
    static func nanoseconds(grpcTimeout text: UnsafeRawBufferPointer) -> Int64? {
        guard text.count >= 2, text.count <= 9, let unit = text.last else { return nil }
        var count: Int64 = 0
        for byte in text.dropLast() {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            count = count * 10 + Int64(byte - UInt8(ascii: "0"))
        }
        // 99,999,999 hours overflow Int64 nanoseconds; such a deadline is as good as none.
        let scale: Int64
        switch unit {
        case UInt8(ascii: "H"): scale = 3_600_000_000_000
        case UInt8(ascii: "M"): scale = 60_000_000_000
        case UInt8(ascii: "S"): scale = 1_000_000_000
        case UInt8(ascii: "m"): scale = 1_000_000
        case UInt8(ascii: "u"): scale = 1_000
        case UInt8(ascii: "n"): scale = 1
        default: return nil
        }
        let (product, overflow) = count.multipliedReportingOverflow(by: scale)
        return overflow ? Int64.max : product
    }

    /// The remaining time as a `grpc-timeout` value, rounded up so that a peer never gives up before we do.
    func grpcTimeout(now: NIODeadline) -> String {
        let left = max(1, (instant - now).nanoseconds)
        // Rounded up, each has 8 digits at most: more are malformed.
        if left <= 99_999_999_000 { return "\((left + 999) / 1_000)u" }
        if left <= 99_999_999_000_000 { return "\((left + 999_999) / 1_000_000)m" }
        return "\(min(99_999_999, left / 1_000_000_000 + 1))S"
    }
}
