import Testing

@testable import VesselService

/// The bands and the vessels in memory, and the plain truth beside them.
private struct Fleet {
    var vessels: [(capacity: Int32, weight: Int32)] = []
    var heaviest: [CapacityBands.Key: Int32] = [:]
    var looks = 0

    mutating func add(_ capacity: Int32, _ weight: Int32) {
        vessels.append((capacity, weight))
        raise(capacity, weight)
    }

    mutating func raise(_ capacity: Int32, _ weight: Int32) {
        for band in CapacityBands.bands(of: capacity) { heaviest[band] = max(heaviest[band, default: 0], weight) }
    }

    mutating func search(_ capacity: Int32, _ weight: Int32) throws -> [Int32]? {
        var looks = 0
        defer { self.looks = looks }
        return try CapacityBands.search(
            from: capacity,
            firstBand: { ranges in
                looks += 1
                return heaviest.filter { entry in entry.value >= weight && ranges.contains { $0.contains(entry.key) } }
                    .keys.min()
            },
            lightest: { exact in
                vessels.filter { $0.capacity == exact && $0.weight >= weight }.map { [$0.capacity, $0.weight] }
                    .min { $0.lexicographicallyPrecedes($1) }
            },
            exhaustive: { brute($0, weight) })
    }

    func brute(_ capacity: Int32, _ weight: Int32) -> [Int32]? {
        vessels.filter { $0.capacity >= capacity && $0.weight >= weight }.map { [$0.capacity, $0.weight] }
            .min { $0.lexicographicallyPrecedes($1) }
    }
}

@Suite struct CapacityBandsTests {
    private static let capacities: [Int32] = [
        0, 1, 15, 16, 17, 255, 256, 4095, 65_535, 1 << 20, 1 << 30, .max - 1, .max,
    ]

    @Test("the search finds what looking at every vessel finds", arguments: [10, 1_000, 1_000_000, Int32.max])
    func bruteForce(largest: Int32) throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20 {
            var fleet = Fleet()
            for _ in 0..<Int.random(in: 0...60) {
                fleet.add(.random(in: 1...largest, using: &generator), .random(in: 1...50))
            }
            for _ in 0..<50 {
                let capacity = Int32.random(in: 0...largest, using: &generator)
                let weight = Int32.random(in: 0...55)
                #expect(try fleet.search(capacity, weight) == fleet.brute(capacity, weight))
                #expect(fleet.looks <= CapacityBands.levelCount)
            }
        }
    }

    @Test("the edges of bands are found from both sides")
    func edges() throws {
        for vessel in Self.capacities where vessel > 0 {
            var fleet = Fleet()
            fleet.add(vessel, 7)
            for capacity in Self.capacities {
                #expect(try fleet.search(capacity, 7) == (capacity <= vessel ? [vessel, 7] : nil))
                #expect(try fleet.search(capacity, 8) == nil)
            }
        }
    }

    @Test("the cover of a capacity holds every capacity from it on exactly once, and none below")
    func cover() {
        for start in Self.capacities {
            let ranges = CapacityBands.cover(from: start)
            for capacity in Self.capacities {
                let count = (0..<CapacityBands.levelCount)
                    .map { CapacityBands.key(level: $0, of: capacity) }
                    .reduce(0) { count, key in count + ranges.filter { $0.contains(key) }.count }
                // A band that begins below the start is not in the cover, so a capacity is covered at one level only.
                #expect(count == (capacity >= start ? 1 : 0), "\(capacity) from \(start)")
            }
        }
    }

    @Test("bands that are too high are walked past, and too many of them do not hide a vessel")
    func falseBands() throws {
        for count in [1, 10, 63, 64, 200] as [Int32] {
            var fleet = Fleet()
            for index in 1...count { fleet.raise(index * 40, 100) }
            #expect(try fleet.search(1, 100) == nil)
            fleet.add(1_000_000, 100)
            #expect(try fleet.search(1, 100) == [1_000_000, 100])
        }
    }

    @Test("a band without the bands below it, as a create leaves it that ended half-way, is walked past")
    func halfRaised() throws {
        var fleet = Fleet()
        for band in CapacityBands.bands(of: 500).prefix(4) { fleet.heaviest[band] = 100 }
        fleet.add(1_000_000, 100)
        #expect(try fleet.search(1, 100) == [1_000_000, 100])
    }
}
