/// How the tightest fit is found in a bounded number of steps, however many vessels there are.
///
/// An index on (capacity, weight) alone degenerates when many vessels are large enough but too weak. So beside the vessels
/// a summary is kept: a band is a range of capacities, and for each the heaviest weight that any of its vessels
/// carries is stored. Bands form a tree: at level 0 a band is one capacity, and at each level above it covers 16 bands of the level
/// below; 8 levels cover every capacity. The search climbs from the wanted capacity until a band to its right has a vessel
/// strong enough, and descends to the smallest capacity therein: at most 8 + 7 looks at up to 16 bands each.
///
/// A stored weight may be too high (a create that failed half-way), never too low: the search then goes on to the right.
enum CapacityBands {
    static let levelCount = 8
    private static let bitsPerLevel = 4
    /// False bands that a search walks past before it gives up and asks the vessels themselves.
    private static let falseBandsMax = 64

    /// A band's key: its level above, its number within the level below. All bands of a level are in order.
    typealias Key = Int64

    static func key(level: Int, of capacity: Int32) -> Key {
        Key(level) << 32 | Key(capacity >> (level * bitsPerLevel))
    }

    static func level(of key: Key) -> Int { Int(key >> 32) }

    /// The first capacity of a band.
    static func firstCapacity(of key: Key) -> Int64 {
        (key & 0xffff_ffff) << (level(of: key) * bitsPerLevel)
    }

    /// The bands that a vessel belongs to, the largest first. They must be raised in this order and before the vessel is
    /// stored, so that a band is never raised while one above it is not.
    static func bands(of capacity: Int32) -> [Key] {
        (0..<levelCount).reversed().map { key(level: $0, of: capacity) }
    }

    /// The bands of one band's next lower level.
    static func children(of key: Key) -> ClosedRange<Key> {
        let level = level(of: key) - 1
        let first = Key(level) << 32 | (key & 0xffff_ffff) << bitsPerLevel
        return first...(first | ((1 << bitsPerLevel) - 1))
    }

    /// Ranges of bands that together cover every capacity from `capacity` on, each once, the lowest capacities first.
    static func cover(from capacity: Int32) -> [ClosedRange<Key>] {
        var ranges: [ClosedRange<Key>] = []
        ranges.reserveCapacity(levelCount)
        var number = Key(capacity)
        let mask = Key((1 << bitsPerLevel) - 1)
        for level in 0..<levelCount {
            let last = number | mask
            let base = Key(level) << 32
            ranges.append(base | number...base | last)
            // The level above goes on where this one's group of 16 ends.
            number = (last >> bitsPerLevel) + 1
        }
        return ranges
    }

    /// Searches for the tightest fit.
    ///
    /// - Parameters:
    ///   - firstBand: the smallest key in any of these ranges whose band has at least the wanted weight.
    ///   - lightest: the vessel of exactly this capacity with the smallest weight of at least the one wanted.
    ///   - exhaustive: asks the vessels themselves, from this capacity on; for the case that too many bands were false.
    static func search<Vessel>(
        from capacity: Int32,
        firstBand: ([ClosedRange<Key>]) throws -> Key?,
        lightest: (Int32) throws -> Vessel?,
        exhaustive: (Int32) throws -> Vessel?
    ) throws -> Vessel? {
        var start = capacity
        for _ in 0..<falseBandsMax {
            guard var band = try firstBand(cover(from: start)) else { return nil }
            var isDeadEnd = false
            while level(of: band) > 0, !isDeadEnd {
                if let child = try firstBand([children(of: band)]) { band = child } else { isDeadEnd = true }
            }
            if !isDeadEnd, let exact = Int32(exactly: firstCapacity(of: band)), let vessel = try lightest(exact) {
                return vessel
            }
            let next = firstCapacity(of: band) + (1 << (level(of: band) * bitsPerLevel))
            guard let following = Int32(exactly: next) else { return nil }
            start = following
        }
        return try exhaustive(start)
    }
}
