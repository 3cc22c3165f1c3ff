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
    /// Attributes of a span and of an event; further ones are counted and left out.
    static let attributesMax = 128
    static let eventsMax = 128
    static let linksMax = 128
    /// Of a text, in bytes, and of a list, in elements; the rest is left out. What waits for a collector is thereby
    /// bounded.
    static let textBytesMax = 1_024
    static let listMax = 128

    public internal(set) var attributes = SpanAttributes()
    public internal(set) var droppedAttributes = 0
    public internal(set) var events: [SpanEvent] = []
    public internal(set) var droppedEvents = 0
    /// Spans of other traces that are the cause of this one.
    public internal(set) var links: [TraceParent] = []
    public internal(set) var droppedLinks = 0
    public internal(set) var status: SpanStatus?

    mutating func set(_ name: String, _ value: SpanAttribute) {
        guard attributes.get(name) != nil || attributes.count < Self.attributesMax else {
            droppedAttributes += 1
            return
        }
        attributes.set(name, value: Self.bounded(value))
    }

    mutating func add(_ event: SpanEvent) {
        guard events.count < Self.eventsMax else {
            droppedEvents += 1
            return
        }
        events.append(
            SpanEvent(
                name: Self.bounded(event.name),
                at: DefaultTracerClock.Timestamp(nanosecondsSinceEpoch: event.nanosecondsSinceEpoch),
                attributes: Self.bounded(event.attributes)))
    }

    mutating func add(_ link: TraceParent) {
        guard links.count < Self.linksMax else {
            droppedLinks += 1
            return
        }
        links.append(link)
    }

    private static func bounded(_ attributes: SpanAttributes) -> SpanAttributes {
        var kept = SpanAttributes()
        attributes.forEach { name, value in
            if kept.count < attributesMax { kept.set(bounded(name), value: bounded(value)) }
        }
        return kept
    }

    private static func bounded(_ value: SpanAttribute) -> SpanAttribute {
        switch value {
        case .string(let text): .string(bounded(text))
        case .stringArray(let texts): .stringArray(texts.prefix(listMax).map(bounded))
        case .stringConvertible(let value): .string(bounded(value.description))
        case .stringConvertibleArray(let values): .stringArray(values.prefix(listMax).map { bounded($0.description) })
        case .int32Array(let numbers): .int32Array(Array(numbers.prefix(listMax)))
        case .int64Array(let numbers): .int64Array(Array(numbers.prefix(listMax)))
        case .doubleArray(let numbers): .doubleArray(Array(numbers.prefix(listMax)))
        case .boolArray(let truths): .boolArray(Array(truths.prefix(listMax)))
        default: value
        }
    }

    /// Ends between Unicode scalars, not characters: one character may be as long as the text, and finding where it
    /// begins takes long.
    static func bounded(_ text: String) -> String {
        guard text.utf8.count > textBytesMax else { return text }
        var end = text.utf8.index(text.startIndex, offsetBy: textBytesMax)
        while text.utf8[end] & 0xC0 == 0x80 { end = text.utf8.index(before: end) }
        return String(text[..<end])
    }
}
