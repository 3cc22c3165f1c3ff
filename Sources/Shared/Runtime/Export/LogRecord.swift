import Logging
import RPC
import Traces

/// Lines of the log that wait to be exported.
typealias LogBuffer = ExportBuffer<LogRecord>

/// A line of the log as it is exported: what the line says and no more, cut where the line is cut.
struct LogRecord: Sendable {
    /// A value of the line's metadata.
    enum Value: Sendable {
        case text(String)
        case number(Double)
        case integer(Int64)
        case list([Value])
        case pairs([(name: String, value: Value)])
    }

    let time: Timestamp
    let level: Logger.Level
    /// The logger's own label.
    let label: String
    let message: String
    private(set) var attributes: [(name: String, value: Value)] = []
    /// Where the line belongs in a trace.
    private(set) var trace: TraceParent?
    /// About how much memory it takes.
    private(set) var bytes: Int

    /// What a record takes beside its texts.
    private static let ownBytes = 128

    private init(time: Timestamp, level: Logger.Level, label: String, message: String, bytesMax: Int) {
        self.time = time
        self.level = level
        self.label = label
        self.message = message.shortened(bytesMax: bytesMax)
        bytes = Self.ownBytes + self.message.utf8.count
    }

    init(_ line: LogLine) {
        self.init(
            time: line.time, level: line.level, label: line.label, message: line.message,
            bytesMax: LogLine.textBytesMax)
        for (name, value) in line.metadata {
            let name = name.shortened(bytesMax: LogLine.textBytesMax)
            bytes += Self.ownBytes + name.utf8.count
            let value = read(value, nesting: 1)
            attributes.append((name, value))
        }
    }

    /// The line of a call, whose times are numbers.
    ///
    /// - Parameter leftOut: calls without a line since the last one that was written.
    init(_ line: CallLog.Line, service: String, leftOut: UInt64, time: Timestamp) {
        self.init(
            time: time, level: line.level, label: service, message: "call", bytesMax: LogLine.textBytesMax)
        let microseconds = max(0, line.nanoseconds) / 1_000
        add("duration_ms", .number(Double(microseconds) / 1_000))
        if leftOut > 0 { add("left_out", .integer(Int64(clamping: leftOut))) }
        add("method", line.method)
        if !line.peer.isEmpty { add("peer", line.peer) }
        if let requestID = line.requestID { add("request_id", requestID) }
        if let service = line.service { add("service", service) }
        add("status", line.status)
        if let traceID = CallLine.traceID(line.traceparent) {
            trace = line.traceparent.flatMap { TraceParent($0) }
            if trace == nil { add("trace_id", traceID) }
        }
    }

    private mutating func add(_ name: String, _ text: String) {
        let text = text.shortened(bytesMax: CallLine.textBytesMax)
        bytes += text.utf8.count
        add(name, .text(text))
    }

    private mutating func add(_ name: String, _ value: Value) {
        bytes += Self.ownBytes + name.utf8.count
        attributes.append((name, value))
    }

    /// Nested deeper than a line shows, it is left out as there.
    private mutating func read(_ value: Logger.Metadata.Value, nesting: Int) -> Value {
        bytes += Self.ownBytes
        switch value {
        case .string(let text): return read(text)
        case .stringConvertible(let convertible): return read(convertible.description)
        case .array(let values):
            guard nesting < LogLine.nestingMax else { return .text("…") }
            var list: [Value] = []
            for value in values { list.append(read(value, nesting: nesting + 1)) }
            return .list(list)
        case .dictionary(let values):
            guard nesting < LogLine.nestingMax else { return .text("…") }
            var pairs: [(name: String, value: Value)] = []
            for (name, value) in values {
                let name = name.shortened(bytesMax: LogLine.textBytesMax)
                bytes += name.utf8.count
                pairs.append((name, read(value, nesting: nesting + 1)))
            }
            return .pairs(pairs)
        }
    }

    private mutating func read(_ text: String) -> Value {
        let text = text.shortened(bytesMax: LogLine.textBytesMax)
        bytes += text.utf8.count
        return .text(text)
    }
}
