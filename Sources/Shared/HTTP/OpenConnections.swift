import NIOCore
import RPC
import Synchronization

/// The number of connections of a server, over all its loops. Usable from any thread.
final class OpenConnections: Sendable {
    /// Of a connection that nothing goes over, in bytes: channel, handlers, the buffer that it is read into.
    static let connectionBytes = 6 * 1024

    enum Admission {
        case fits
        /// There are more than may be: an idle one has to go.
        case beyond
        /// There is no memory for it. It is not counted.
        case noMemory
    }

    private let counter = Atomic<Int>(0)
    private let max: Int
    private let memory: MemoryBudget
    /// Connections of those addresses that are counted.
    private let byAddress = Mutex<[UInt64: Int]>([:])
    private let loops = Mutex<[WeakLoop]>([])

    private struct WeakLoop: Sendable {
        weak let loop: LoopContext?
    }

    init(max: Int, memory: MemoryBudget = MemoryBudget()) {
        self.max = max
        self.memory = memory
    }

    var count: Int { counter.load(ordering: .relaxed) }

    /// Counts one more.
    ///
    /// - Parameter evict: closes an idle connection, where there is no memory for the new one; false when none is idle.
    func add(evict: () -> Bool = { false }) -> Admission {
        let (before, _) = counter.add(1, ordering: .relaxed)
        let hasMemory =
            memory.take(Self.connectionBytes, .connections)
            || (evict() && memory.take(Self.connectionBytes, .connections))
        guard hasMemory else {
            counter.subtract(1, ordering: .relaxed)
            return .noMemory
        }
        return before < max ? .fits : .beyond
    }

    func remove() {
        memory.give(Self.connectionBytes, .connections)
        counter.subtract(1, ordering: .relaxed)
    }

    /// Counts one more of an address.
    ///
    /// - Returns: how many it has now.
    func add(from address: UInt64) -> Int {
        byAddress.withLock {
            $0[address, default: 0] += 1
            return $0[address, default: 0]
        }
    }

    func remove(from address: UInt64) {
        byAddress.withLock {
            let count = $0[address, default: 0]
            $0[address] = count > 1 ? count - 1 : nil
        }
    }

    // MARK: Room

    /// Lets loops close idle connections for each other's newcomers. Call it once.
    func setLoops(_ all: [LoopContext]) {
        loops.withLock { $0 = all.map(WeakLoop.init) }
    }

    /// Closes an idle connection on one of the other loops, for a newcomer whose own loop has none; where there is none,
    /// closes the newcomer.
    ///
    /// - Parameter address: only connections of this one; `nil` for any.
    func makeRoom(for newcomer: any Channel, from address: UInt64?, besides asking: LoopContext) {
        let others = loops.withLock { $0.compactMap(\.loop) }.filter { $0 !== asking }
        Self.ask(others[...], for: newcomer, from: address)
    }

    private static func ask(_ loops: ArraySlice<LoopContext>, for newcomer: any Channel, from address: UInt64?) {
        guard let loop = loops.first else { return newcomer.close(promise: nil) }
        loop.eventLoop.execute {
            if loop.evictIdle(from: address) { return }
            ask(loops.dropFirst(), for: newcomer, from: address)
        }
    }
}
