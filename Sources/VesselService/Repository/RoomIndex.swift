/// How the tightest fit is found in a bounded number of index seeks, however many vessels there are and however their room
/// changes.
///
/// An index on (containers left, kg left) alone degenerates when many vessels have room for the containers but not for the
/// weight. Therefore vessels are also put together in *groups*: a group of *level* n holds the vessels whose number of
/// containers left is the same but for its last 4·n bits. A store can tell how much weight the one in a group takes that
/// takes most, and so whether any of them takes what is wanted. The search goes over groups to the right of the number
/// wanted, from the smallest level to the largest, and then down into the first one that has such a vessel: at most 15
/// groups a level each time.
///
/// MongoDB has eight more indexes, one a level, by group and weight: what a vessel is entered under depends on that vessel
/// alone, so that one write to it changes all of it. SQLite, with transactions, keeps a row for each group.
enum RoomIndex {
    /// A group of level 8 holds all numbers that there are. Level 0, where there is one, is the numbers themselves.
    static let levels = 1...8
    private static let bitsPerLevel: Int32 = 4

    /// What a search has seen.
    enum Outcome<Vessel> {
        case fit(Vessel)
        case none
        /// A vessel that fits was there and was gone when it was to be read.
        case changed
    }

    /// The group of a level that vessels with so many containers left are in. Groups are in the order of the numbers.
    static func group(level: Int, of containers: Int32) -> Int32 {
        // All of an Int32's bits are gone at the last level; shifting by 32 answers 0.
        containers >> (Int32(level) * bitsPerLevel)
    }

    /// Searches for the tightest fit.
    ///
    /// - Parameters:
    ///   - containers: wanted, not negative.
    ///   - near: the tightest fit among exactly these numbers of containers left, 16 at most.
    ///   - firstGroup: the first group among these of a level that has a vessel that takes the weight.
    static func search<Vessel>(
        from containers: Int32, near: (ClosedRange<Int32>) throws -> Vessel?,
        firstGroup: (_ level: Int, _ groups: ClosedRange<Int32>) throws -> Int32?
    ) throws -> Outcome<Vessel> {
        // One look tells whether anything takes the weight at all.
        guard try firstGroup(levels.upperBound, 0...0) != nil else { return .none }
        if let vessel = try near(containers...(containers | mask)) { return .fit(vessel) }
        for level in levels.dropLast() {
            // The groups behind ours within the next larger group, of which ours has been looked at.
            let own = group(level: level, of: containers)
            guard own & mask < mask else { continue }
            guard let found = try firstGroup(level, own + 1...(own | mask)) else { continue }
            return try descend(level, found, near: near, firstGroup: firstGroup).map { .fit($0) } ?? .changed
        }
        return .none
    }

    /// The tightest fit within a group that has one; `nil` when it was taken meanwhile.
    private static func descend<Vessel>(
        _ level: Int, _ group: Int32, near: (ClosedRange<Int32>) throws -> Vessel?,
        firstGroup: (Int, ClosedRange<Int32>) throws -> Int32?
    ) throws -> Vessel? {
        var group = group
        for lower in stride(from: level - 1, through: 1, by: -1) {
            guard let found = try firstGroup(lower, children(of: group)) else { return nil }
            group = found
        }
        return try near(children(of: group))
    }

    private static let mask: Int32 = 1 << bitsPerLevel - 1

    /// The groups of the next lower level that a group consists of; of level 1, numbers of containers.
    static func children(of group: Int32) -> ClosedRange<Int32> {
        let first = group << bitsPerLevel
        return first...(first | mask)
    }
}
