import Tracing

/// A span that is over, as it is exported.
public struct FinishedSpan: Sendable {
    public let name: String
    public let kind: SpanKind
    public let identity: TraceParent
    /// 0 for the first span of a trace.
    public let parentSpanID: UInt64
    public let state: String?
    /// Since 1970, in UTC.
    public let startNanoseconds: UInt64
    /// Never before the start.
    public let endNanoseconds: UInt64
    public let details: SpanDetails
}

/// What was said about a span while it ran, within bounds.
public struct SpanDetails: Sendable {
    /// Attributes of a span, of an event and of a link; further ones are counted and left out.
    static let attributesMax = 128
    static let eventsMax = 128
    static let linksMax = 128

    public internal(set) var attributes = SpanAttributes()
    public internal(set) var droppedAttributes = 0
    public internal(set) var events: [SpanEvent] = []
    public internal(set) var droppedEvents = 0
    public internal(set) var links: [SpanLink] = []
    public internal(set) var droppedLinks = 0
    public internal(set) var status: SpanStatus?

    mutating func set(_ new: SpanAttributes) {
        (attributes, droppedAttributes) = Self.bounded(new)
    }

    mutating func set(_ name: String, _ value: SpanAttribute) {
        guard attributes.get(name) != nil || attributes.count < Self.attributesMax else {
            droppedAttributes += 1
            return
        }
        attributes.set(name, value: value)
    }

    mutating func add(_ event: SpanEvent) {
        guard events.count < Self.eventsMax else {
            droppedEvents += 1
            return
        }
        var event = event
        event.attributes = Self.bounded(event.attributes).kept
        events.append(event)
    }

    mutating func add(_ link: SpanLink) {
        guard links.count < Self.linksMax else {
            droppedLinks += 1
            return
        }
        links.append(SpanLink(context: link.context, attributes: Self.bounded(link.attributes).kept))
    }

    private static func bounded(_ attributes: SpanAttributes) -> (kept: SpanAttributes, dropped: Int) {
        guard attributes.count > attributesMax else { return (attributes, 0) }
        var kept = SpanAttributes()
        attributes.forEach { name, value in
            if kept.count < attributesMax { kept.set(name, value: value) }
        }
        return (kept, attributes.count - attributesMax)
    }
}
