import Contracts
import Foundation
import Logging
import Testing
import Traces

@testable import Runtime

@Suite("Metrics and logs as they are exported")
struct ExportMessageTests {
    private static let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    @Test("metrics keep the names, labels and values of the page; counters are cumulative sums, histograms keep bounds")
    func metrics() throws {
        let registry = MetricsRegistry()
        registry.counter("calls_total", "", labels: [("method", "a\"b\n")]) { 3 }
        registry.counter("calls_total", "", labels: [("method", "zero")]) { 0 }
        registry.gauge("depth", "How deep.") { -2.5 }
        registry.gauge("limit", "") { .infinity }
        registry.gauge("unknown", "") { .nan }
        let waits = LatencyHistogram()
        registry.histogram("wait_seconds", "", waits)
        waits.record(nanoseconds: 2_000_000)
        waits.record(nanoseconds: 60_000_000_000)
        let metrics = MetricMessage.metrics(
            registry.snapshot(), since: Timestamp(milliseconds: 1), at: Timestamp(milliseconds: 2))
        let bytes: [UInt8] = try MetricMessage.request(metrics, Otlp_Resource()).serializedBytes()
        let group = try #require(try Otlp_ExportMetricsRequest(serializedBytes: bytes).resourceMetrics.first)
        let exported = try #require(group.scopeMetrics.first).metrics
        // What has no value is left out.
        try #require(exported.map(\.name) == ["calls_total", "depth", "limit", "wait_seconds"])

        let sum = exported[0].sum
        #expect(exported[0].hasSum && sum.isMonotonic && sum.aggregationTemporality == .cumulative)
        #expect(sum.dataPoints.map(\.asDouble) == [3, 0] && sum.dataPoints.allSatisfy { $0.hasAsDouble })
        #expect(sum.dataPoints.allSatisfy { $0.startTimeUnixNano == 1_000_000 && $0.timeUnixNano == 2_000_000 })
        #expect(sum.dataPoints[0].attributes == [Otlp_KeyValue("method", .text("a\"b\n"))])

        #expect(exported[1].hasGauge && exported[1].description_p == "How deep.")
        #expect(exported[1].gauge.dataPoints.map(\.asDouble) == [-2.5])
        #expect(exported[2].gauge.dataPoints.map(\.asDouble) == [.infinity])

        let histogram = exported[3].histogram
        let point = try #require(histogram.dataPoints.first)
        #expect(exported[3].hasHistogram && histogram.aggregationTemporality == .cumulative)
        #expect(point.explicitBounds == LatencyHistogram.boundsSeconds)
        #expect(point.bucketCounts.count == point.explicitBounds.count + 1)
        // 2 ms are up to the bound of 2.5 ms, a minute is beyond them all.
        #expect(point.bucketCounts[5] == 1 && point.bucketCounts.last == 1)
        #expect(point.count == 2 && abs(point.sum - 60.002) < 1e-9)
    }

    @Test("more metrics than fit into a message go out in several, and a later reading replaces what waits")
    func metricBatches() {
        let registry = MetricsRegistry()
        for family in 0..<30 {
            for series in 0..<100 {
                registry.gauge("g\(family)", "", labels: [("s", "\(series)")]) { 1 }
            }
        }
        let queue = MetricQueue(registry, resource: Otlp_Resource())
        #expect(queue.takeBatch().isEmpty && !queue.hasFullBatch)
        queue.collect()
        var sizes: [Int] = []
        while queue.hasFullBatch { sizes.append(queue.size(of: queue.takeBatch())) }
        #expect(sizes == [1_000, 1_000, 1_000])
        queue.collect()
        queue.collect()
        #expect(queue.count == 30 && queue.dropped == 0)
    }

    /// Lines that went through a pipe, and what was exported of them.
    private func written(_ body: (LogOutput, LogLevelSwitch) -> Void) throws -> (lines: [String], records: [LogRecord])
    {
        let pipe = Pipe()
        let output = LogOutput(descriptor: pipe.fileHandleForWriting.fileDescriptor, style: .json)
        let buffer = LogBuffer(capacity: 100, batchSize: 100) {}
        output.tap.open(buffer)
        body(output, LogLevelSwitch(.info))
        try pipe.fileHandleForWriting.close()
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        return (text.split(separator: "\n").map(String.init), buffer.take(100))
    }

    private func logger(_ output: LogOutput, _ levels: LogLevelSwitch) -> Logger {
        Logger(label: "store") { LineLogHandler(service: "vessel", label: $0, output: output, levels: levels) }
    }

    @Test("what is written is exported, with its metadata; what is not written, or said of an export, is not")
    func lines() throws {
        let (lines, records) = try written { output, levels in
            logger(output, levels).warning("slow", metadata: ["list": ["a", "b"], "map": ["k": "v"]])
            logger(output, levels).debug("not at this level")
            logger(output.unexported, levels).warning("logs can't be exported")
        }
        #expect(lines.count == 2 && records.count == 1)
        let message = try #require(LogMessage.request(records, Otlp_Resource()).resourceLogs.first?.scopeLogs.first)
        let record = try #require(message.logRecords.first)
        #expect(message.scope.name == "store" && record.body.stringValue == "slow")
        #expect(record.severityNumber == 13 && record.severityText == "warning")
        #expect(record.timeUnixNano > 0 && record.observedTimeUnixNano == record.timeUnixNano)
        #expect(record.traceID.isEmpty && record.spanID.isEmpty)
        let values = [String: Otlp_AnyValue](uniqueKeysWithValues: record.attributes.map { ($0.key, $0.value) })
        #expect(values.count == 2)
        #expect(values["list"]?.arrayValue.values == [.text("a"), .text("b")])
        #expect(values["map"]?.kvlistValue.values == [Otlp_KeyValue("k", .text("v"))])
    }

    @Test("the line of a call is exported with its trace, its span and its time as a number")
    func calls() throws {
        let (lines, records) = try written { output, levels in
            let log = CallLog(service: "vessel", output: output, levels: levels, mode: .all)
            for traceparent in [Self.traceparent, nil, "00-x"] {
                log.write(
                    CallLog.Line(
                        level: .error, method: "vessel.VesselService/Create", status: "INTERNAL",
                        nanoseconds: 1_204_567, requestID: String(repeating: "r", count: 1_000),
                        traceparent: traceparent, peer: ""))
            }
        }
        #expect(lines.count == 3 && records.count == 3)
        let scope = try #require(LogMessage.request(records, Otlp_Resource()).resourceLogs.first?.scopeLogs.first)
        try #require(scope.logRecords.count == 3)
        let record = scope.logRecords[0]
        #expect(scope.scope.name == "vessel" && record.body.stringValue == "call" && record.severityNumber == 17)
        #expect(record.traceID.map { String($0, radix: 16) } == Self.hexadecimal("0af7651916cd43dd8448eb211c80319c"))
        #expect(record.spanID.map { String($0, radix: 16) } == Self.hexadecimal("b7ad6b7169203331"))
        #expect(record.flags == 1)
        let values = [String: Otlp_AnyValue](uniqueKeysWithValues: record.attributes.map { ($0.key, $0.value) })
        #expect(values.keys.sorted() == ["duration_ms", "method", "request_id", "status"])
        #expect(values["duration_ms"]?.doubleValue == 1.204)
        #expect(values["status"] == .text("INTERNAL"))
        #expect(values["request_id"]?.stringValue.utf8.count == CallLine.textBytesMax + 3)
        #expect(scope.logRecords[1].traceID.isEmpty && scope.logRecords[2].traceID.isEmpty)
        // The time that the line says.
        let object = try JSONSerialization.jsonObject(with: Data(lines[0].utf8)) as? [String: Any]
        var time: [UInt8] = []
        records[0].time.append(to: &time)
        #expect(object?["time"] as? String == String(decoding: time, as: UTF8.self))
    }

    /// Each byte without a zero before it, as `String(_:radix:)` writes it.
    private static func hexadecimal(_ text: String) -> [String] {
        let digits = Array(text)
        return stride(from: 0, to: digits.count, by: 2).map { index in
            (digits[index] == "0" ? "" : String(digits[index])) + String(digits[index + 1])
        }
    }

    @Test("a line for which its pipe has no room is not exported either")
    func lostLines() {
        let output = LogOutput(descriptor: -1, style: .json)
        let buffer = LogBuffer(capacity: 10, batchSize: 10) {}
        output.tap.open(buffer)
        logger(output, LogLevelSwitch(.info)).info("lost")
        #expect(output.lost.count == 1 && buffer.count == 0)
    }

    @Test("long and deep lines are cut as in the log, and lines that wait are bounded by their bytes")
    func bounds() throws {
        var deep: Logger.Metadata.Value = "core"
        for _ in 0..<1_000 { deep = .array([deep]) }
        let long = String(repeating: "🚢", count: 5_000)
        let line = LogLine(
            time: Timestamp(milliseconds: 1), level: .info, service: "s", label: "s", message: long,
            metadata: ["deep": deep, "long": .string(long)])
        let record = LogRecord(line)
        #expect(record.message.utf8.count <= LogLine.textBytesMax + 3 && record.message.hasSuffix("🚢…"))
        #expect(record.bytes > 2 * LogLine.textBytesMax && record.bytes < 3 * LogLine.textBytesMax)
        let message = try LogMessage.request([record], Otlp_Resource()).serializedBytes() as [UInt8]
        #expect(message.count < 3 * LogLine.textBytesMax)

        let buffer = LogBuffer(capacity: 1_000, bytesMax: 10 * record.bytes, batchSize: 1_000) {}
        for _ in 0..<100 { buffer.add(record, bytes: record.bytes) }
        #expect(buffer.count == 10 && buffer.dropped == 90)
    }
}
