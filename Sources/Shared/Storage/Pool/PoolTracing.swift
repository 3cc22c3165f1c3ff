import Synchronization
import Traces
import Tracing

/// How a pool's calls show in the traces of those who make them. Calls of no recorded trace cost nothing.
public enum PoolTracing: Sendable {
    /// What the body does shows, where it says so with ``StoreOperation``.
    case operations
    /// The call as a whole, from when a thread begins with it until it is answered.
    case calls(name: String, kind: SpanKind, attributes: SpanAttributes)
}

/// What a call answers that may have failed although nothing was thrown; looked at for the call's span alone.
package protocol TracedOutcome {
    /// Why it failed, of few values; `nil` when it did not.
    var failure: String? { get }
}

/// A call of a recorded trace on its way through a pool.
package final class PoolCallTrace: Sendable {
    /// The call that this thread works on; `nil` where it is of no recorded trace.
    @TaskLocal static var current: PoolCallTrace?

    private let parent: TraceSpan
    private let configuration: PoolConfiguration
    private let queuedNanoseconds: UInt64
    /// When a thread took it; 0 before.
    private let takenNanoseconds = Atomic<UInt64>(0)

    /// `nil` where the current task works for no recorded span. An initializer that fails would allocate even then.
    ///
    /// - Parameter configuration: read only where there is one, as it is large.
    static func make(_ configuration: @autoclosure () -> PoolConfiguration) -> PoolCallTrace? {
        guard let parent = TraceSpan.current else { return nil }
        return PoolCallTrace(parent, configuration())
    }

    private init(_ parent: TraceSpan, _ configuration: PoolConfiguration) {
        self.parent = parent
        self.configuration = configuration
        queuedNanoseconds = DefaultTracerClock.now.nanosecondsSinceEpoch
    }

    /// A thread begins with the call.
    func taken() {
        takenNanoseconds.store(DefaultTracerClock.now.nanosecondsSinceEpoch, ordering: .relaxed)
    }

    /// The span of the whole call, where there is one.
    func beginCall() -> TraceSpan? {
        guard case .calls(let name, let kind, let attributes) = configuration.tracing else { return nil }
        let span = begin(name, kind)
        attributes.forEach { span.set($0, $1) }
        return span
    }

    /// A span within the call, which says how long the call had waited for its thread.
    func begin(_ name: String, _ kind: SpanKind) -> TraceSpan {
        let span = parent.child(name, kind: kind)
        let taken = takenNanoseconds.load(ordering: .relaxed)
        let waited = taken > queuedNanoseconds ? Double(taken - queuedNanoseconds) / 1e6 : 0
        span.set("shippy.pool.name", .string(configuration.name))
        span.set("shippy.pool.wait_ms", .double(waited))
        return span
    }
}
