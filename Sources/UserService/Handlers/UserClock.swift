import Idempotency

/// The time of day, for what is stored and for tokens; tests bring their own.
struct UserClock: Sendable {
    static let microsecondsPerSecond: Int64 = 1_000_000

    /// Since 1970 in UTC.
    let microseconds: @Sendable () -> Int64

    @Sendable func seconds() -> Int64 { microseconds() / Self.microsecondsPerSecond }

    static let system = UserClock { WallClock.microseconds }
}
