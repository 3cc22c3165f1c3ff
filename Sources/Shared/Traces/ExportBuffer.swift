import NIOConcurrencyHelpers

/// Finished spans that wait to be exported.
public typealias SpanBuffer = ExportBuffer<FinishedSpan>

/// Items that wait to be exported. Full, it drops and counts; it never blocks for longer than it takes to append one.
/// Usable from any thread.
public final class ExportBuffer<Item: Sendable>: Sendable {
    private struct State {
        var entries: [(item: Item, bytes: Int)] = []
        var bytes = 0
        var dropped = 0
    }

    /// Items that wait at most.
    public let capacity: Int
    /// Bytes of items that wait at most.
    public let bytesMax: Int
    private let batchSize: Int
    private let batchIsReady: @Sendable () -> Void
    private let state = NIOLockedValueBox(State())

    /// - Parameters:
    ///   - bytesMax: for items whose bytes are told to ``add(_:bytes:)``.
    ///   - batchSize: how many wait when `batchIsReady` is called; above 0.
    ///   - batchIsReady: called on any thread, also on event loops; must not block.
    public init(
        capacity: Int, bytesMax: Int = .max, batchSize: Int, batchIsReady: @escaping @Sendable () -> Void
    ) {
        self.capacity = capacity
        self.bytesMax = bytesMax
        self.batchSize = batchSize
        self.batchIsReady = batchIsReady
    }

    /// - Parameter bytes: about how much memory it takes; 0 where items are bounded by their number alone.
    public func add(_ item: Item, bytes: Int = 0) {
        let count = state.withLockedValue { state in
            guard state.entries.count < capacity, bytes <= bytesMax - state.bytes else {
                state.dropped += 1
                return 0
            }
            state.entries.append((item, bytes))
            state.bytes += bytes
            return state.entries.count
        }
        if count == batchSize { batchIsReady() }
    }

    /// Takes the oldest, at most `limit`; and fewer when they have more than `bytesMax` together, but at least one.
    public func take(_ limit: Int, bytesMax: Int = .max) -> [Item] {
        let batch = state.withLockedValue { state -> [(item: Item, bytes: Int)] in
            var (count, bytes) = (0, 0)
            while count < min(limit, state.entries.count) {
                let more = state.entries[count].bytes
                if count > 0, more > bytesMax - bytes { break }
                bytes += more
                count += 1
            }
            state.bytes -= bytes
            if count == state.entries.count {
                defer { state.entries = [] }
                return state.entries
            }
            let batch = Array(state.entries.prefix(count))
            state.entries.removeFirst(count)
            return batch
        }
        return batch.map(\.item)
    }

    /// Items that wait now.
    public var count: Int { state.withLockedValue { $0.entries.count } }

    /// Items that found no place, since the start.
    public var dropped: Int { state.withLockedValue { $0.dropped } }
}
