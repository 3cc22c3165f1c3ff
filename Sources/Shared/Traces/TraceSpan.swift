import NIOConcurrencyHelpers
import Tracing

/// One piece of work within a trace. Usable from any thread; what is said after ``end()`` is lost.
///
/// A span that is not recorded only says which trace goes on: the one of a caller, or one that nobody wants to see.
public final class TraceSpan: Sendable {
    private struct State {
        var details = SpanDetails()
        var isOver = false
    }

    /// Which span this is.
    public let identity: TraceParent
    /// The `tracestate` that came with the trace.
    public let state: String?
    let tracer: SpanTracer
    private let name: String
    private let parentSpanID: UInt64
    private let kind: SpanKind
    private let startNanoseconds: UInt64
    /// Where it is kept when it is over; `nil` when it is not recorded.
    private let buffer: SpanBuffer?
    private let guarded: NIOLockedValueBox<State>

    init(
        _ tracer: SpanTracer, _ name: String, kind: SpanKind, identity: TraceParent, parentSpanID: UInt64 = 0,
        state: String? = nil, isRecording: Bool = true,
        startNanoseconds: UInt64 = DefaultTracerClock.now.nanosecondsSinceEpoch
    ) {
        self.tracer = tracer
        self.name = SpanDetails.bounded(name)
        self.kind = kind
        self.identity = identity
        self.parentSpanID = parentSpanID
        self.state = state
        self.startNanoseconds = startNanoseconds
        buffer = isRecording ? tracer.buffer : nil
        guarded = NIOLockedValueBox(State())
    }

    /// To be made the current one for whatever belongs to this span.
    public var context: ServiceContext {
        var context = ServiceContext.topLevel
        context[SpanKey.self] = self
        return context
    }

    public func set(_ name: String, _ value: SpanAttribute) {
        update { $0.set(name, value) }
    }

    public func setStatus(_ status: SpanStatus) {
        update { $0.status = SpanStatus(code: status.code, message: status.message.map(SpanDetails.bounded)) }
    }

    public func addEvent(_ event: SpanEvent) {
        update { $0.add(event) }
    }

    /// Says that a span of another trace is the cause of this one.
    public func addLink(_ cause: TraceParent) {
        update { $0.add(cause) }
    }

    public func end() {
        guard let buffer else { return }
        let details = guarded.withLockedValue { state -> SpanDetails? in
            guard !state.isOver else { return nil }
            defer {
                state.isOver = true
                state.details = SpanDetails()
            }
            return state.details
        }
        guard let details else { return }
        buffer.add(
            FinishedSpan(
                name: name, kind: kind, identity: identity, parentSpanID: parentSpanID, state: state,
                startNanoseconds: startNanoseconds,
                endNanoseconds: max(startNanoseconds, DefaultTracerClock.now.nanosecondsSinceEpoch), details: details))
    }

    /// Changes the details, unless the span is over or not recorded.
    private func update(_ change: (inout SpanDetails) -> Void) {
        guard buffer != nil else { return }
        guarded.withLockedValue { if !$0.isOver { change(&$0.details) } }
    }

    /// A span within this one, recorded as this one is.
    public func child(
        _ name: String, kind: SpanKind, at startNanoseconds: UInt64 = DefaultTracerClock.now.nanosecondsSinceEpoch
    ) -> TraceSpan {
        TraceSpan(
            tracer, name, kind: kind, identity: identity.next(), parentSpanID: identity.spanID, state: state,
            isRecording: buffer != nil, startNanoseconds: startNanoseconds)
    }

    /// The span that the current task, or the current pool thread, works for; `nil` where nothing is recorded.
    public static var current: TraceSpan? {
        guard let span = ServiceContext.current?[SpanKey.self], span.buffer != nil else { return nil }
        return span
    }
}

extension TraceParent {
    /// Another span of the same trace.
    func next() -> TraceParent {
        TraceParent(traceHigh: traceHigh, traceLow: traceLow, spanID: TraceIDs.next(), isSampled: isSampled)
    }
}

/// Where a span is found in a context.
enum SpanKey: ServiceContextKey {
    typealias Value = TraceSpan
    static var nameOverride: String? { "shippy-span" }
}

extension TraceSpan {
    /// Runs `body` as a part of `span`; just runs it where there is none.
    public static func within<Value>(
        _ span: TraceSpan?, isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Value
    ) async rethrows -> Value {
        guard let span else { return try await body() }
        return try await ServiceContext.$current.withValue(span.context, operation: body)
    }

    /// Ends a span of work that failed.
    ///
    /// - Parameter kind: of few values, and without any of the data: error texts belong in logs.
    public func end(failedWith kind: String) {
        fail(kind)
        end()
    }

    /// Marks a span as failed without ending it.
    ///
    /// - Parameter kind: as for ``end(failedWith:)``.
    public func fail(_ kind: String) {
        set("error.type", .string(kind))
        setStatus(SpanStatus(code: .error))
    }
}
