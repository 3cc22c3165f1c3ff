import NIOCore
import RPC
import Synchronization

/// The number of connections of a server, over all its loops. Usable from any thread.
final class OpenConnections: Sendable {
    /// Bytes counted for a connection without traffic: channel, handlers, read buffer.
    static let connectionBytes = 6 * 1024

    enum Admission {
        case fits
        /// Above the limit: another connection has to be closed.
        case beyond
        /// There is no memory for it. It is not counted.
        case noMemory
    }

    private let counter = Atomic<Int>(0)
    private let max: Int
    private let memory: MemoryBudget
    /// Number of connections by address, for addresses with a limit.
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

    /// Counts a new connection.
    ///
    /// - Parameter evict: closes another connection when there is no memory for the new one; false when all are busy.
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
        memory.release(Self.connectionBytes, .connections)
        counter.subtract(1, ordering: .relaxed)
    }

    /// Counts a new connection of an address.
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

    /// Sets the loops that close connections for each other's newcomers. Call it once.
    func setLoops(_ all: [LoopContext]) {
        loops.withLock { $0 = all.map(WeakLoop.init) }
    }

    /// Closes a connection without a request on another loop for a newcomer whose own loop has none; when no loop has
    /// one, closes the newcomer.
    ///
    /// - Parameter address: only connections of this address; `nil` for any.
    func makeRoom(for newcomer: any Channel, from address: UInt64?, besides asking: LoopContext) {
        let others = loops.withLock { $0.compactMap(\.loop) }.filter { $0 !== asking }
        Self.ask(others[...], for: newcomer, from: address)
    }

    private static func ask(_ loops: ArraySlice<LoopContext>, for newcomer: any Channel, from address: UInt64?) {
        guard let loop = loops.first else { return newcomer.close(promise: nil) }
        loop.eventLoop.execute {
            if loop.evict(from: address) { return }
            ask(loops.dropFirst(), for: newcomer, from: address)
        }
    }
}
