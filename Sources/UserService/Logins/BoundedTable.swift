/// Records by key in a fixed amount of memory. A key has a few places where it may be; when all are taken, the record
/// that would be evicted first makes room.
///
/// Keys must be hashes that strangers can't foresee, so that nobody can fill the places of another's key on purpose.
struct BoundedTable<Record: Sendable>: Sendable {
    /// Places for one key.
    private static var ways: Int { 8 }

    private struct Slot {
        var key: UInt64
        var record: Record
        var evictAt: ContinuousClock.Instant
    }

    private var slots: [Slot?]
    private let bucketCount: Int

    /// - Parameter capacity: records, rounded up to a multiple of 8.
    init(capacity: Int) {
        bucketCount = max(1, (capacity + Self.ways - 1) / Self.ways)
        slots = Array(repeating: nil, count: bucketCount * Self.ways)
    }

    /// The key's record, unless its time is over.
    func record(of key: UInt64, now: ContinuousClock.Instant) -> Record? {
        for index in places(key) {
            if let slot = slots[index], slot.key == key { return slot.evictAt > now ? slot.record : nil }
        }
        return nil
    }

    /// Keeps a record until `evictAt`, or until others need its place more.
    mutating func set(_ record: Record, of key: UInt64, evictAt: ContinuousClock.Instant) {
        let places = places(key)
        let own = places.first { slots[$0]?.key == key } ?? places.first { slots[$0] == nil }
        let oldest = places.min { left, right in
            guard let left = slots[left], let right = slots[right] else { return false }
            return left.evictAt < right.evictAt
        }
        guard let chosen = own ?? oldest else { return }
        slots[chosen] = Slot(key: key, record: record, evictAt: evictAt)
    }

    mutating func remove(_ key: UInt64) {
        for index in places(key) where slots[index]?.key == key { slots[index] = nil }
    }

    private func places(_ key: UInt64) -> Range<Int> {
        let first = Int(key % UInt64(bucketCount)) * Self.ways
        return first..<(first + Self.ways)
    }
}

/// A budget of failures for each key, refilled at a steady rate, in a fixed amount of memory.
struct FailureBudget: Sendable {
    /// Failures that the budget still counts, at a point in time.
    private struct Level {
        var failures: Double
        var at: ContinuousClock.Instant
    }

    /// Failures that stop counting per second.
    private let rate: Double
    private var levels: BoundedTable<Level>

    init(rate: Double, capacity: Int) {
        self.rate = rate
        levels = BoundedTable(capacity: capacity)
    }

    func failures(of key: UInt64, now: ContinuousClock.Instant) -> Double {
        guard let known = levels.record(of: key, now: now) else { return 0 }
        return max(0, known.failures - (now - known.at) / .seconds(1) * rate)
    }

    mutating func add(_ count: Double, to key: UInt64, now: ContinuousClock.Instant) {
        let failures = max(0, failures(of: key, now: now) + count)
        guard failures > 0 else { return levels.remove(key) }
        // A key without failures needs no record.
        levels.set(Level(failures: failures, at: now), of: key, evictAt: now + .seconds(failures / rate + 1))
    }
}
