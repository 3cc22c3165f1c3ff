import Contracts
import Logging

/// Lines of the log as OpenTelemetry's protocol writes them.
enum LogMessage {
    /// - Parameter resource: what is said about this process.
    static func request(_ records: [LogRecord], _ resource: Otlp_Resource) -> Otlp_ExportLogsRequest {
        // One scope for each logger, of which a program has few.
        var scopes: [Otlp_ScopeLogs] = []
        for record in records {
            let message = message(record)
            if let index = scopes.firstIndex(where: { $0.scope.name == record.label }) {
                scopes[index].logRecords.append(message)
            } else {
                var scope = Otlp_ScopeLogs()
                scope.scope.name = record.label
                scope.logRecords = [message]
                scopes.append(scope)
            }
        }
        var group = Otlp_ResourceLogs()
        group.resource = resource
        group.scopeLogs = scopes
        var request = Otlp_ExportLogsRequest()
        request.resourceLogs = [group]
        return request
    }

    private static func message(_ record: LogRecord) -> Otlp_LogRecord {
        var message = Otlp_LogRecord()
        message.timeUnixNano = record.time.nanoseconds
        message.observedTimeUnixNano = record.time.nanoseconds
        message.severityNumber = severity(record.level)
        message.severityText = record.level.rawValue
        message.body = .text(record.message)
        message.attributes = record.attributes.map { Otlp_KeyValue($0.name, value($0.value)) }
        if let trace = record.trace {
            message.traceID = SpanMessage.bytes(trace.traceHigh, trace.traceLow)
            message.spanID = SpanMessage.bytes(trace.spanID)
            message.flags = trace.isSampled ? 1 : 0
        }
        return message
    }

    /// Source: OpenTelemetry, "Logs Data Model", "Field: SeverityNumber".
    static func severity(_ level: Logger.Level) -> Int32 {
        switch level {
        case .trace: 1
        case .debug: 5
        case .info: 9
        case .notice: 10
        case .warning: 13
        case .error: 17
        case .critical: 21
        }
    }

    private static func value(_ value: LogRecord.Value) -> Otlp_AnyValue {
        switch value {
        case .text(let text): .text(text)
        case .number(let number): .with { $0.doubleValue = number }
        case .integer(let number): .with { $0.intValue = number }
        case .list(let values): .with { $0.arrayValue.values = values.map(Self.value) }
        case .pairs(let pairs):
            .with { $0.kvlistValue.values = pairs.map { Otlp_KeyValue($0.name, Self.value($0.value)) } }
        }
    }
}
