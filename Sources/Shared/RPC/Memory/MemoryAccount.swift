/// The bytes of a ``MemoryBudget`` that one connection holds: counted here, without atomics, and taken from the budget
/// in steps.
///
/// A connection that holds little costs the budget nothing: its first few KiB are free, so that a small request never
/// depends on what others hold. The account gives everything back when it is destroyed. On the connection's event loop
/// only.
package struct MemoryAccount: ~Copyable {
    /// Bytes of each connection that are not counted.
    package static let freeBytes = 4 * 1024
    /// Bytes taken from the budget at a time.
    static let stepBytes = 16 * 1024
    /// Holders of at most this many bytes may use the whole budget, larger ones three quarters of it.
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
        if reserved > 0 { budget.release(reserved, kind) }
    }

    /// Counts `bytes` more; when there is no room, returns false and counts nothing.
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

    /// Counts bytes that are held already, whether there is room or not.
    package mutating func takeUnchecked(_ bytes: Int) {
        let missing = used + bytes - Self.freeBytes - reserved
        if missing > 0 {
            let wanted = Self.rounded(missing)
            budget.takeUnchecked(wanted, kind)
            reserved += wanted
        }
        used += bytes
    }

    /// Releases bytes that were taken.
    package mutating func release(_ bytes: Int) {
        used -= bytes
        guard reserved > 0 else { return }
        // Keeps some slack, so that a busy connection does not go back and forth; none for one that holds nothing.
        let needed = Self.rounded(max(0, used - Self.freeBytes))
        guard used <= Self.freeBytes || reserved - needed >= 2 * Self.stepBytes else { return }
        budget.release(reserved - needed, kind)
        reserved = needed
    }

    /// Sets the count to `bytes`; when there is no room for more, returns false and changes nothing.
    package mutating func resize(to bytes: Int) -> Bool {
        if bytes > used { return take(bytes - used) }
        release(used - bytes)
        return true
    }

    /// Sets the count to `bytes`, whether there is room or not.
    package mutating func resizeUnchecked(to bytes: Int) {
        if bytes > used { takeUnchecked(bytes - used) } else { release(used - bytes) }
    }

    private static func rounded(_ bytes: Int) -> Int {
        (bytes + stepBytes - 1) / stepBytes * stepBytes
    }
}
