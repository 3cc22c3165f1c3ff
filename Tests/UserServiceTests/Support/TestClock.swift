import Synchronization

@testable import UserService

/// Time that passes when a test says so.
final class TestClock: Sendable {
    private let start = ContinuousClock.now
    private let passed = Mutex(Duration.zero)
    /// 2026-01-01 in microseconds.
    static let epoch: Int64 = 1_767_225_600_000_000

    func advance(_ duration: Duration) {
        passed.withLock { $0 += duration }
    }

    @Sendable func now() -> ContinuousClock.Instant { start + passed.withLock { $0 } }

    var wall: UserClock {
        UserClock { [self] in Self.epoch + Int64(passed.withLock { $0 } / .microseconds(1)) }
    }
}
