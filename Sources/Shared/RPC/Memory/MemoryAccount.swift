/// What one connection holds of a ``MemoryBudget``: counted here, without atomics, and taken from the process's count in steps.
///
/// A connection that holds little costs the budget nothing: the first few KiB are free, so that the usual small request never
/// depends on what others hold. Given back whole with the value. On the connection's event loop only.
package struct MemoryAccount: ~Copyable {
    /// Not counted for each connection, in bytes.
    package static let freeBytes = 4 * 1024
    /// Taken from the budget at a time, in bytes.
    static let stepBytes = 16 * 1024
    /// Who holds no more may use the whole budget, others three quarters of it; in bytes.
    package static let smallBytesMax = 64 * 1024

    private let budget: MemoryBudget
    private let kind: MemoryBudget.Kind
    package private(set) var used = 0
    private var reserved = 0

    package init(_ kind: MemoryBudget.Kind, of budget: MemoryBudget) {
        self.budget = budget
        self.kind = kind
    }

    deinit {
        if reserved > 0 { budget.give(reserved, kind) }
    }

    /// Counts `bytes` more; false, and nothing is counted, when there is no room.
    package mutating func take(_ bytes: Int) -> Bool {
        let missing = used + bytes - Self.freeBytes - reserved
        if missing > 0 {
            let wanted = Self.rounded(missing)
            guard budget.take(wanted, kind, isLarge: reserved + wanted > Self.smallBytesMax) else { return false }
            reserved += wanted
        }
        used += bytes
        return true
    }

    /// Counts bytes that are there already, room or not.
    package mutating func takeAnyway(_ bytes: Int) {
        let missing = used + bytes - Self.freeBytes - reserved
        if missing > 0 {
            let wanted = Self.rounded(missing)
            budget.takeAnyway(wanted, kind)
            reserved += wanted
        }
        used += bytes
    }

    package mutating func give(_ bytes: Int) {
        used -= bytes
        guard reserved > 0 else { return }
        // Some slack, so that a busy connection does not go back and forth; none for one that holds nothing.
        let needed = Self.rounded(max(0, used - Self.freeBytes))
        guard used <= Self.freeBytes || reserved - needed >= 2 * Self.stepBytes else { return }
        budget.give(reserved - needed, kind)
        reserved = needed
    }

    /// Makes the count `bytes`; false, and nothing changes, when there is no room for more.
    package mutating func resize(to bytes: Int) -> Bool {
        if bytes > used { return take(bytes - used) }
        give(used - bytes)
        return true
    }

    package mutating func resizeAnyway(to bytes: Int) {
        if bytes > used { takeAnyway(bytes - used) } else { give(used - bytes) }
    }

    private static func rounded(_ bytes: Int) -> Int {
        (bytes + stepBytes - 1) / stepBytes * stepBytes
    }
}
