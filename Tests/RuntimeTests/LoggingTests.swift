import Foundation
import Logging
import Testing

@testable import Runtime

@Suite("Logs")
struct LoggingTests {
    private func line(_ message: String, _ metadata: Logger.Metadata = [:], label: String = "vessel") -> LogLine {
        LogLine(
            time: Timestamp(milliseconds: 1_769_850_300_042), level: .warning, service: "vessel", label: label,
            message: message, metadata: metadata)
    }

    private func json(_ line: LogLine) throws -> [String: Any] {
        var bytes: [UInt8] = []
        line.appendJSON(to: &bytes)
        #expect(bytes.last == UInt8(ascii: "\n"))
        #expect(!bytes.dropLast().contains(UInt8(ascii: "\n")))
        let object = try JSONSerialization.jsonObject(with: Data(bytes))
        return try #require(object as? [String: Any])
    }

    @Test("a moment is written as Foundation writes it, over four centuries and their leap days")
    func timestamps() {
        let formatter = ISO8601DateFormatter()
        formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        var milliseconds: Int64 = 0
        while milliseconds < 12_622_780_800_000 {
            var bytes: [UInt8] = []
            Timestamp(milliseconds: milliseconds).append(to: &bytes)
            let date = Date(timeIntervalSince1970: Double(milliseconds) / 1_000)
            #expect(String(decoding: bytes, as: UTF8.self) == formatter.string(from: date))
            // A step that is prime to day and year, so that all kinds of days are met.
            milliseconds += 5 * 86_400_000 + 3_661_000
        }
    }

    @Test("a line is one JSON object with time, level, service, message and metadata")
    func fields() throws {
        let object = try json(
            line("started", ["port": "8080", "list": ["a", "b"], "map": ["k": "v"]], label: "store"))
        #expect(object["time"] as? String == "2026-01-31T09:05:00.042Z")
        #expect(object["level"] as? String == "warning")
        #expect(object["service"] as? String == "vessel")
        #expect(object["logger"] as? String == "store")
        #expect(object["message"] as? String == "started")
        let metadata = try #require(object["metadata"] as? [String: Any])
        #expect(metadata["port"] as? String == "8080")
        #expect(metadata["list"] as? [String] == ["a", "b"])
        #expect(metadata["map"] as? [String: String] == ["k": "v"])
    }

    @Test("quotes, backslashes, control characters and any script come through JSON unharmed")
    func escaping() throws {
        let text = "a\"b\\c\n\r\t\u{0}\u{1b}[31m\u{7f} \u{80}\u{9b}\u{9f}\u{a0}¿ Ærø 船 🚢 \u{2028}"
        let object = try json(line(text, [text: .string(text)]))
        var bytes: [UInt8] = []
        JSONText.append("a\u{9b}2J\u{a0}", to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == "\"a\\u009b2J\u{a0}\"")
        #expect(object["message"] as? String == text)
        #expect((object["metadata"] as? [String: String])?[text] == text)
    }

    @Test("a text that is too long is cut between characters")
    func longText() throws {
        for padding in 0..<4 {
            let text = String(repeating: "x", count: padding) + String(repeating: "🚢", count: 5_000)
            let message = try #require(try json(line(text))["message"] as? String)
            #expect(message.hasSuffix("🚢…"))
            #expect(message.utf8.count <= LogLine.textBytesMax + 3)
        }
    }

    @Test("metadata nested without end is cut")
    func deepMetadata() throws {
        var value: Logger.Metadata.Value = "core"
        for _ in 0..<1_000 { value = .array([value]) }
        #expect(try json(line("deep", ["deep": value]))["metadata"] != nil)
    }

    @Test("on a terminal a client's control characters do nothing")
    func terminal() {
        var bytes: [UInt8] = []
        line("evil\u{1b}[2Jtext\nnext", ["key": "a\u{1b}b", "single": "c\u{9b}2Jd\u{80}\u{9f}¿Ûe"])
            .appendText(to: &bytes)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.contains("evil [2Jtext next"))
        #expect(text.contains("a b"))
        #expect(text.contains("c 2Jd  ¿Ûe"))
        #expect(text.filter { $0 == "\n" }.count == 1)
    }

    @Test("the level changes for all loggers at once, but for those with a level of their own")
    func levels() {
        let levels = LogLevelSwitch(.info)
        let output = LogOutput(descriptor: -1, style: .json)
        let shared = LineLogHandler(service: "s", label: "a", output: output, levels: levels)
        var own = LineLogHandler(service: "s", label: "b", output: output, levels: levels)
        own.logLevel = .error
        levels.level = .debug
        #expect(shared.logLevel == .debug)
        #expect(own.logLevel == .error)
    }

    @Test("lines of many threads reach a pipe whole")
    func concurrentLines() async throws {
        let pipe = Pipe()
        // A megabyte: nothing is lost for want of room.
        _ = fcntl(pipe.fileHandleForWriting.fileDescriptor, 1031, 1 << 20)
        let output = LogOutput(descriptor: pipe.fileHandleForWriting.fileDescriptor, style: .json)
        let levels = LogLevelSwitch(.info)
        let count = 2_000
        let reader = Task.detached { pipe.fileHandleForReading.readDataToEndOfFile() }
        await withTaskGroup { group in
            for task in 0..<4 {
                group.addTask {
                    let logger = Logger(label: "t\(task)") {
                        LineLogHandler(service: "s", label: $0, output: output, levels: levels)
                    }
                    for number in 0..<(count / 4) {
                        logger.info(
                            "line",
                            metadata: ["number": "\(number)", "pad": .string(String(repeating: "p", count: number))])
                    }
                }
            }
        }
        try pipe.fileHandleForWriting.close()
        let lines = String(decoding: await reader.value, as: UTF8.self).split(separator: "\n")
        #expect(lines.count == count)
        for line in lines {
            #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) }
        }
    }

    @Test("a pipe that nobody reads costs lines, which are counted, and makes nobody wait")
    func fullPipe() throws {
        let pipe = Pipe()
        let output = LogOutput(descriptor: pipe.fileHandleForWriting.fileDescriptor, style: .json)
        let levels = LogLevelSwitch(.info)
        let registry = MetricsRegistry()
        CallLog(service: "s", output: output, levels: levels, mode: .none).register(in: registry)
        let logger = Logger(label: "s") {
            LineLogHandler(service: "s", label: $0, output: output, levels: levels)
        }
        for number in 0..<5_000 { logger.info("line", metadata: ["number": "\(number)"]) }
        let lost = Int(output.lost.count)
        #expect(lost > 1_000 && lost < 5_000)
        #expect(registry.render().contains("log_lines_suppressed_total{reason=\"full\"} \(lost)\n"))
        try pipe.fileHandleForWriting.close()
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let lines = text.split(separator: "\n")
        #expect(lines.count == 5_000 - lost)
        for line in lines {
            #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) }
        }
    }
}
