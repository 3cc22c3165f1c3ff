import NIOConcurrencyHelpers

/// Finished spans that wait to be exported. Full, it drops and counts; it never blocks for longer than it takes to
/// append one. Usable from any thread.
public final class SpanBuffer: Sendable {
    private struct State {
        var spans: [FinishedSpan] = []
        var dropped = 0
    }

    /// Spans that wait at most.
    public let capacity: Int
    private let batchSize: Int
    private let batchIsReady: @Sendable () -> Void
    private let state = NIOLockedValueBox(State())

    /// - Parameters:
    ///   - batchSize: how many wait when `batchIsReady` is called; above 0.
    ///   - batchIsReady: called on any thread, also on event loops; must not block.
    public init(capacity: Int, batchSize: Int, batchIsReady: @escaping @Sendable () -> Void) {
        self.capacity = capacity
        self.batchSize = batchSize
        self.batchIsReady = batchIsReady
    }

    func add(_ span: FinishedSpan) {
        let count = state.withLockedValue { state in
            guard state.spans.count < capacity else {
                state.dropped += 1
                return 0
            }
            state.spans.append(span)
            return state.spans.count
        }
        if count == batchSize { batchIsReady() }
    }

    /// Takes the oldest, at most `limit`.
    public func take(_ limit: Int) -> [FinishedSpan] {
        state.withLockedValue { state in
            if state.spans.count <= limit {
                defer { state.spans = [] }
                return state.spans
            }
            let batch = Array(state.spans.prefix(limit))
            state.spans.removeFirst(limit)
            return batch
        }
    }

    /// Spans that wait now.
    public var count: Int { state.withLockedValue { $0.spans.count } }

    /// Spans that found no place, since the start.
    public var dropped: Int { state.withLockedValue { $0.dropped } }
}
