import Logging

/// A call's line as bytes, in the shape of ``LogLine``.
struct CallLine {
    private let line: CallLog.Line
    private let service: String
    /// Calls without a line since the last one that was written.
    private let leftOut: UInt64

    /// What callers choose is cut at so many bytes. Together with the rest a line is shorter than what a pipe takes
    /// whole (PIPE_BUF, 4,096 bytes), even if every byte has to be escaped.
    static let textBytesMax = 128

    init(_ line: CallLog.Line, service: String, leftOut: UInt64) {
        self.line = line
        self.service = service
        self.leftOut = leftOut
    }

    func bytes(_ style: LogOutput.Style, at time: Timestamp = .now()) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(384)
        switch style {
        case .json: appendJSON(time, to: &bytes)
        case .terminal: terminalLine(time).appendText(to: &bytes)
        }
        return bytes
    }

    /// Keys are in the alphabet's order, as in all lines. Times are numbers, so that they can be compared.
    func appendJSON(_ time: Timestamp, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: #"{"time":""#.utf8)
        time.append(to: &bytes)
        bytes.append(contentsOf: #"","level":""#.utf8)
        bytes.append(contentsOf: line.level.rawValue.utf8)
        bytes.append(contentsOf: #"","service":"#.utf8)
        JSONText.append(service, to: &bytes)
        bytes.append(contentsOf: #","message":"call","metadata":{"duration_ms":"#.utf8)
        Self.appendMilliseconds(line.nanoseconds, to: &bytes)
        if leftOut > 0 {
            bytes.append(contentsOf: #","left_out":"#.utf8)
            Self.append(leftOut, to: &bytes)
        }
        append("method", line.method, to: &bytes)
        if !line.peer.isEmpty { append("peer", line.peer, to: &bytes) }
        if let requestID = line.requestID { append("request_id", requestID, to: &bytes) }
        if let service = line.service { append("service", service, to: &bytes) }
        append("status", line.status, to: &bytes)
        if let traceID = Self.traceID(line.traceparent) { append("trace_id", traceID, to: &bytes) }
        bytes.append(contentsOf: "}}\n".utf8)
    }

    private func append(_ key: StaticString, _ value: String, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: #",""#.utf8)
        key.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: #"":"#.utf8)
        JSONText.append(value, to: &bytes, bytesMax: Self.textBytesMax)
    }

    private func terminalLine(_ time: Timestamp) -> LogLine {
        var milliseconds: [UInt8] = []
        Self.appendMilliseconds(line.nanoseconds, to: &milliseconds)
        var metadata: Logger.Metadata = [
            "duration_ms": "\(String(decoding: milliseconds, as: UTF8.self))", "method": "\(line.method)",
            "peer": "\(line.peer)", "status": "\(line.status)",
        ]
        if leftOut > 0 { metadata["left_out"] = "\(leftOut)" }
        if let service = line.service { metadata["service"] = "\(service)" }
        if let requestID = line.requestID {
            metadata["request_id"] = "\(String(decoding: requestID.utf8.prefix(Self.textBytesMax), as: UTF8.self))"
        }
        if let traceID = Self.traceID(line.traceparent) { metadata["trace_id"] = "\(traceID)" }
        return LogLine(
            time: time, level: line.level, service: service, label: service, message: "call", metadata: metadata)
    }

    /// Microseconds are the last digits: what takes less is no call over a network.
    static func appendMilliseconds(_ nanoseconds: Int64, to bytes: inout [UInt8]) {
        let microseconds = UInt64(max(0, nanoseconds)) / 1_000
        append(microseconds / 1_000, to: &bytes)
        bytes.append(UInt8(ascii: "."))
        let fraction = microseconds % 1_000
        bytes.append(0x30 + UInt8(fraction / 100))
        bytes.append(0x30 + UInt8(fraction / 10 % 10))
        bytes.append(0x30 + UInt8(fraction % 10))
    }

    private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: String(number).utf8)
    }

    /// The second field of `00-TRACE-SPAN-FLAGS`, 32 digits; `nil` for what is none.
    /// Source: W3C Trace Context, "traceparent Header Field Values".
    static func traceID(_ traceparent: String?) -> String? {
        guard let utf8 = traceparent?.utf8, utf8.count >= 55 else { return nil }
        let digits = utf8.dropFirst(3).prefix(32)
        let isHexadecimal = digits.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        guard isHexadecimal, digits.contains(where: { $0 != 0x30 }) else { return nil }
        return String(Substring(digits))
    }
}
