import Contracts
import FoundationEssentials
import Traces
import Tracing

/// Spans as OpenTelemetry's protocol writes them.
enum SpanMessage {
    /// - Parameter resource: what is said about this process.
    static func request(_ spans: [FinishedSpan], _ resource: Otlp_Resource) -> Otlp_ExportRequest {
        var scope = Otlp_ScopeSpans()
        scope.scope.name = "shippy"
        scope.spans = spans.map(message)
        var group = Otlp_ResourceSpans()
        group.resource = resource
        group.scopeSpans = [scope]
        var request = Otlp_ExportRequest()
        request.resourceSpans = [group]
        return request
    }

    private static func message(_ span: FinishedSpan) -> Otlp_Span {
        var message = Otlp_Span()
        message.traceID = bytes(span.identity.traceHigh, span.identity.traceLow)
        message.spanID = bytes(span.identity.spanID)
        message.traceState = span.state ?? ""
        if span.parentSpanID != 0 { message.parentSpanID = bytes(span.parentSpanID) }
        message.name = span.name
        message.kind = kind(span.kind)
        message.startTimeUnixNano = span.startNanoseconds
        message.endTimeUnixNano = span.endNanoseconds
        message.flags = flags(span.identity)
        let details = span.details
        message.attributes = pairs(details.attributes)
        message.droppedAttributesCount = UInt32(clamping: details.droppedAttributes)
        message.events = details.events.map(event)
        message.droppedEventsCount = UInt32(clamping: details.droppedEvents)
        message.links = details.links.map(link)
        message.droppedLinksCount = UInt32(clamping: details.droppedLinks)
        if let status = details.status {
            message.status.code = status.code == .error ? .error : .ok
            message.status.message = status.message ?? ""
        }
        return message
    }

    private static func event(_ event: SpanEvent) -> Otlp_Event {
        var message = Otlp_Event()
        message.name = event.name
        message.timeUnixNano = event.nanosecondsSinceEpoch
        message.attributes = pairs(event.attributes)
        return message
    }

    private static func link(_ parent: TraceParent) -> Otlp_Link {
        var message = Otlp_Link()
        message.traceID = bytes(parent.traceHigh, parent.traceLow)
        message.spanID = bytes(parent.spanID)
        message.flags = flags(parent)
        return message
    }

    private static func kind(_ kind: SpanKind) -> Otlp_SpanKind {
        switch kind {
        case .server: .server
        case .client: .client
        case .producer: .producer
        case .consumer: .consumer
        case .internal: .internal
        }
    }

    private static func flags(_ parent: TraceParent) -> UInt32 { parent.isSampled ? 1 : 0 }

    /// Numbers as the protocol writes ids: the highest byte first.
    static func bytes(_ numbers: UInt64...) -> Data {
        var data = Data(capacity: numbers.count * 8)
        for number in numbers {
            for shift in stride(from: UInt64(56), through: 0, by: -8) {
                data.append(UInt8(truncatingIfNeeded: number >> shift))
            }
        }
        return data
    }

    // MARK: Attributes

    private static func pairs(_ attributes: SpanAttributes) -> [Otlp_KeyValue] {
        var pairs: [Otlp_KeyValue] = []
        pairs.reserveCapacity(attributes.count)
        attributes.forEach { name, value in
            pairs.append(Otlp_KeyValue(name, Self.value(value)))
        }
        return pairs
    }

    private static func value(_ attribute: SpanAttribute) -> Otlp_AnyValue {
        switch attribute {
        case .int32(let number): integer(Int64(number))
        case .int64(let number): integer(number)
        case .double(let number): .with { $0.doubleValue = number }
        case .bool(let truth): .with { $0.boolValue = truth }
        case .string(let string): .text(string)
        case .stringConvertible(let value): .text(value.description)
        case .int32Array(let numbers): list(numbers) { integer(Int64($0)) }
        case .int64Array(let numbers): list(numbers, integer)
        case .doubleArray(let numbers): list(numbers) { number in .with { $0.doubleValue = number } }
        case .boolArray(let truths): list(truths) { truth in .with { $0.boolValue = truth } }
        case .stringArray(let strings): list(strings) { .text($0) }
        case .stringConvertibleArray(let values): list(values) { .text($0.description) }
        default: .text("")
        }
    }

    private static func integer(_ number: Int64) -> Otlp_AnyValue { .with { $0.intValue = number } }

    private static func list<Element>(_ elements: [Element], _ value: (Element) -> Otlp_AnyValue) -> Otlp_AnyValue {
        .with { $0.arrayValue.values = elements.map(value) }
    }
}
