import SwiftProtobuf
import TestSupport
import Testing

@testable import Transcoding

@Suite("Times as texts")
struct TimestampTests {
    private func parse(_ text: String) -> TimestampText.Time? {
        Array(text.utf8).withUnsafeBytes { TimestampText.parse($0) }
    }

    private func reference(_ text: String) -> TimestampText.Time? {
        let time = try? Google_Protobuf_Timestamp(jsonString: "\"\(text)\"")
        return time.map { TimestampText.Time(seconds: $0.seconds, nanos: $0.nanos) }
    }

    private func write(_ time: TimestampText.Time) throws -> String {
        var out: [UInt8] = []
        try TimestampText.write(time, to: &out)
        return out.text
    }

    @Test(
        "are read as the reference reads them",
        arguments: [
            "1970-01-01T00:00:00Z", "2026-01-31T09:05:00Z", "2000-02-29T23:59:59.5Z", "1900-02-28T00:00:00.000000001Z",
            "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2026-01-31T09:05:00+01:30",
            "2026-01-31T09:05:00-13:59", "1969-12-31T23:59:59.123456Z",
        ])
    func valid(text: String) {
        #expect(parse(text) != nil)
        #expect(parse(text) == reference(text))
    }

    @Test(
        "are rejected as the reference rejects them",
        arguments: [
            "", "Z", "2026-01-31", "2026-01-31T09:05:00", "2026-01-31T09:05:00z", "2026-01-31t09:05:00Z",
            "2026-1-31T09:05:00ZZ", "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-00-01T00:00:00Z",
            "2026-13-01T00:00:00Z", "2026-04-31T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567890Z",
            "2026-01-01T00:00:00.1", "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00+01:60",
            "2026-01-01T00:00:00+01", "2026-01-01T00:00:00ZZ", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01", "-001-01-01T00:00:00Z", "2026-01-01 00:00:00Z", "+2026-01-01T00:00:00Z",
        ])
    func invalid(text: String) {
        #expect(parse(text) == nil)
        #expect(reference(text) == nil)
    }

    @Test(
        "have any offset of RFC 3339, though the reference has a limit of 13 hours",
        arguments: [
            ("2026-01-01T00:00:00+14:00", "2025-12-31T10:00:00Z"),
            ("2026-01-01T00:00:00+23:59", "2025-12-31T00:01:00Z"),
            ("2026-01-01T00:00:00-23:59", "2026-01-01T23:59:00Z"),
            ("2026-01-31T09:05:00.5-14:00", "2026-01-31T23:05:00.5Z"),
        ])
    func offsets(text: String, same: String) throws {
        let expected = try #require(reference(same))
        #expect(parse(text) == expected)
    }

    @Test("every day of the calendar is written and read as the reference does")
    func everyDay() throws {
        var numbers = SeededNumbers(seed: 7)
        for day in stride(from: Int64(-719_162), through: 2_932_896, by: 61) {
            let nanos = [0, 1_000_000, 1_000, 1].randomElement(using: &numbers) ?? 0
            let second = Int64.random(in: 0..<86_400, using: &numbers)
            let time = TimestampText.Time(seconds: day * 86_400 + second, nanos: Int32(nanos * 7))
            let text = try write(time)
            let expected = try Google_Protobuf_Timestamp(seconds: time.seconds, nanos: time.nanos).jsonString()
            #expect(text == expected)
            #expect(parse(String(text.dropFirst().dropLast())) == time)
        }
    }
}
