import Tracing

/// Makes spans and keeps those that are over for the exporter. Usable from any thread; nothing here blocks.
public final class SpanTracer: Sendable {
    /// Where spans go; `nil` when nothing is recorded, and ids are only passed on.
    let buffer: SpanBuffer?
    private let sampler: Sampler

    /// - Parameter buffer: `nil` records nothing: traces are then only given ids, for logs.
    public init(sampler: Sampler = .standard, buffer: SpanBuffer?) {
        self.buffer = buffer
        self.sampler = buffer == nil ? .never : sampler
    }

    // MARK: Requests from outside

    /// Whether a request that came in is recorded, and under which ids.
    public struct SamplingDecision: Sendable {
        /// The request's own span when it is recorded; otherwise what goes on to others.
        public let identity: TraceParent
        /// 0 for the first span of a trace.
        let parentSpanID: UInt64
        /// The `tracestate` to pass on.
        public let state: String?
        public let isRecorded: Bool
        /// What came in can be passed on as it came.
        public let isUnchanged: Bool
    }

    /// Decides about a request that came in. What is malformed counts as missing: a new trace begins.
    ///
    /// - Parameters:
    ///   - parent: the `traceparent`.
    ///   - state: the `tracestate`.
    public func decide(_ parent: String?, _ state: String?) -> SamplingDecision {
        guard let parent, let remote = TraceParent(parent) else {
            let root = TraceIDs.root { sampler.decide(traceLow: $0) }
            return SamplingDecision(
                identity: root, parentSpanID: 0, state: nil, isRecorded: root.isSampled && buffer != nil,
                isUnchanged: false)
        }
        let checkedState = TraceState.checked(state)
        // A process that records nothing does not change what others do.
        let isSampled = buffer == nil ? remote.isSampled : sampler.decide(parent: remote)
        guard isSampled, buffer != nil else {
            let isSame = isSampled == remote.isSampled
            // A changed decision needs an id of its own (W3C Trace Context, section 3.4).
            return SamplingDecision(
                identity: isSame ? remote : remote.sampled(isSampled).next(), parentSpanID: 0, state: checkedState,
                isRecorded: false,
                // The checked state is the text itself or `nil`.
                isUnchanged: isSame && (checkedState == nil) == (state == nil)
                    && parent.utf8.starts(with: "00-".utf8))
        }
        return SamplingDecision(
            identity: remote.sampled(true).next(), parentSpanID: remote.spanID, state: checkedState, isRecorded: true,
            isUnchanged: false)
    }

    /// Begins the span of a request that is recorded.
    public func begin(_ decision: SamplingDecision, _ name: String, kind: SpanKind) -> TraceSpan {
        TraceSpan(
            self, name, kind: kind, identity: decision.identity, parentSpanID: decision.parentSpanID,
            state: decision.state, isRecording: decision.isRecorded)
    }

    // MARK: What began elsewhere, or at another time

    /// Begins the first span of a trace of its own that belongs to another: recorded if that one was.
    ///
    /// - Parameter cause: the `traceparent` of what it belongs to; where it is missing, the sampler decides.
    /// - Returns: `nil` when it is not recorded.
    public func begin(_ name: String, kind: SpanKind, causedBy cause: TraceParent?) -> TraceSpan? {
        guard buffer != nil else { return nil }
        let root = TraceIDs.root { cause?.isSampled ?? sampler.decide(traceLow: $0) }
        guard root.isSampled else { return nil }
        let span = TraceSpan(self, name, kind: kind, identity: root)
        if let cause { span.addLink(cause) }
        return span
    }

    /// Begins a span that goes on where another one, perhaps of another process, left off.
    ///
    /// - Returns: `nil` when that one was not recorded, or nothing is recorded here.
    public func begin(_ name: String, kind: SpanKind, within parent: TraceParent) -> TraceSpan? {
        guard buffer != nil, parent.isSampled else { return nil }
        return TraceSpan(self, name, kind: kind, identity: parent.next(), parentSpanID: parent.spanID)
    }
}
