import NIOCore
import Testing

@testable import RPC

@Suite("Deadlines")
struct DeadlineTests {
    private func nanoseconds(_ text: String) -> Int64? {
        Array(text.utf8).withUnsafeBytes { Deadline.nanoseconds(grpcTimeout: $0) }
    }

    @Test(
        "every unit of grpc-timeout is understood",
        arguments: [
            ("1H", 3_600_000_000_000), ("2M", 120_000_000_000), ("3S", 3_000_000_000), ("4m", 4_000_000),
            ("5u", 5_000), ("6n", 6), ("0n", 0), ("00000001S", 1_000_000_000),
        ] as [(String, Int64)])
    func units(text: String, expected: Int64) {
        #expect(nanoseconds(text) == expected)
    }

    @Test(
        "a malformed grpc-timeout is none",
        arguments: ["", "S", "1", "1s", "1 S", "-1S", "+1S", "1.5S", "123456789S", "1SS", "1\u{0}", "٣S"])
    func malformed(text: String) {
        #expect(nanoseconds(text) == nil)
    }

    @Test("hours beyond what nanoseconds can count are as good as no deadline")
    func overflow() {
        #expect(nanoseconds("99999999H") == .max)
        #expect(nanoseconds("99999999M") == 5_999_999_940_000_000_000)
    }

    @Test(
        "the time left is written with at most 8 digits and never less than it is",
        arguments: [
            0, 1, 999, 1_000, 1_001, 99_999_999_000, 99_999_999_001, 99_999_999_999, 100_000_000_000,
            99_999_999_000_000, 99_999_999_000_001, 99_999_999_999_999, 100_000_000_000_000, 86_400_000_000_000,
            9_000_000_000_000_000_000,
        ] as [Int64])
    func formatted(left: Int64) throws {
        let now = NIODeadline.uptimeNanoseconds(1)
        let text = Deadline(now + .nanoseconds(left)).grpcTimeout(now: now)
        #expect(text.utf8.count <= 9)
        let read = try #require(nanoseconds(text))
        #expect(read >= left || left > 99_999_999_000_000_000)
    }

    @Test("a deadline that has passed is still written as some time")
    func formattedAfterTheEnd() {
        let now = NIODeadline.now()
        #expect(Deadline(now - .seconds(5)).grpcTimeout(now: now) == "1u")
    }

    @Test("a duration without end is no deadline, and one below zero has passed")
    func extremes() {
        #expect(Deadline.after(.seconds(Int64.max)).isNever)
        #expect(Deadline.after(.seconds(300 * 365 * 86_400)).isNever)
        #expect(Deadline.after(.seconds(-1)).isExpired)
        #expect(Deadline.after(.seconds(Int64.min)).isExpired)
        #expect(!Deadline.never.isExpired)
        #expect(Deadline.after(.seconds(60)).remaining > .seconds(59))
        #expect(Deadline.after(.seconds(-1)).remaining == .zero)
        #expect(Deadline.after(.seconds(1)) < .never)
    }
}
