import Testing

@testable import LoadGenerator

@Suite("Latencies")
struct LatenciesTests {
    @Test("percentiles are right to three digits, the most and the mean exactly")
    func digits() {
        let values = (0..<10_000).map { UInt64($0 * $0 * 5) }
        var even = Latencies()
        var odd = Latencies()
        for (index, value) in values.enumerated() {
            if index % 2 == 0 {
                even.record(nanoseconds: Int64(value) * 1_000)
            } else {
                odd.record(nanoseconds: Int64(value) * 1_000 + 999)
            }
        }
        var all = even
        all.add(odd)
        #expect(all.totalCount == 10_000 && all.max == values[9_999] && all.microseconds(100) == values[9_999])
        #expect(abs(all.mean - Double(values.reduce(0, +)) / 10_000) < 0.001)
        for (percentile, rank) in [(0.0, 1), (10, 1_000), (50, 5_000), (90, 9_000), (99, 9_900), (99.9, 9_990)] {
            let exact = values[rank - 1]
            let found = all.microseconds(percentile)
            #expect(found >= exact && found - exact <= exact / 1_000, "p\(percentile): \(found), not \(exact)")
        }
    }

    @Test("what is shorter than 2 ms is exact, what is out of range counts as the nearest")
    func range() {
        var latencies = Latencies()
        #expect(latencies.milliseconds(50) == nil)
        latencies.record(nanoseconds: -5)
        #expect(latencies.milliseconds(100) == 0)
        for microseconds in 1..<2_048 { latencies.record(nanoseconds: Int64(microseconds) * 1_000) }
        #expect(latencies.microseconds(50) == 1_023)
        latencies.record(nanoseconds: .max)
        #expect(latencies.max == 600_000_000)
    }
}
