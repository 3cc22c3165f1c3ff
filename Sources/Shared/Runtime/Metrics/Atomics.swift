import Glibc
import Synchronization

/// A fixed number of counters in one piece of memory that starts on a cache line, each atomic on its own.
///
/// `@unchecked Sendable`: the pointer is set once, points to memory that only deinit frees, and every access to it is an
/// atomic operation on an element that init initialised; so any thread may use it for as long as it holds a reference.
final class AtomicCounters: @unchecked Sendable {
    let count: Int
    private let elements: UnsafeMutablePointer<Atomic<UInt64>>

    static let cacheLineBytes = 64

    init(count: Int) {
        self.count = count
        let size = MemoryLayout<Atomic<UInt64>>.stride * max(1, count)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: Self.cacheLineBytes)
        elements = memory.bindMemory(to: Atomic<UInt64>.self, capacity: max(1, count))
        for index in 0..<count {
            (elements + index).initialize(to: Atomic(0))
        }
    }

    deinit {
        elements.deinitialize(count: count)
        UnsafeMutableRawPointer(elements).deallocate()
    }

    /// Wraps around at 2^64.
    @inline(__always)
    func add(_ amount: UInt64, at index: Int) {
        precondition(index >= 0 && index < count)
        elements[index].wrappingAdd(amount, ordering: .relaxed)
    }

    /// Adds and answers the sum, which wraps around at 2^64.
    @inline(__always)
    func adding(_ amount: UInt64, at index: Int) -> UInt64 {
        precondition(index >= 0 && index < count)
        return elements[index].wrappingAdd(amount, ordering: .relaxed).newValue
    }

    subscript(index: Int) -> UInt64 {
        precondition(index >= 0 && index < count)
        return elements[index].load(ordering: .relaxed)
    }
}

/// Picks which of several sets of counters a thread adds to, so that threads mostly don't pass cache lines around. Two
/// threads may share one: that costs time, not counts.
enum ThreadShard {
    /// A power of two.
    static let count = 8

    @inline(__always)
    static var index: Int {
        let thread = UInt(pthread_self())
        // Thread handles are page-aligned addresses; the multiplication spreads them, its top bits pick the shard.
        let hash = UInt64(thread >> 12) &* 0x9e37_79b9_7f4a_7c15
        return Int(hash >> 61)
    }
}
