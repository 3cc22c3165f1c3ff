import Foundation
import Logging
import NIOCore
import RPC
import TestSupport
import Testing

@testable import Runtime

@Suite("Lines of calls")
struct CallLogTests {
    private static let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    private func line(requestID: String? = "r-1", traceparent: String? = traceparent) -> CallLog.Line {
        CallLog.Line(
            level: .info, method: "vessel.VesselService/Create", service: "vessel", status: "200",
            nanoseconds: 1_204_567, requestID: requestID, traceparent: traceparent, peer: "10.1.2.3:4")
    }

    private func metadata(_ bytes: [UInt8]) throws -> [String: Any] {
        let object = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
        return try #require(object["metadata"] as? [String: Any])
    }

    /// Writes through a pipe that somebody reads at the end.
    private func written(_ mode: CallLogMode, _ body: (CallLog) -> Void) throws -> (lines: [String], page: Metrics) {
        let pipe = Pipe()
        // A megabyte: nothing is lost for want of room.
        _ = fcntl(pipe.fileHandleForWriting.fileDescriptor, 1031, 1 << 20)
        let log = CallLog(
            service: "api", output: LogOutput(descriptor: pipe.fileHandleForWriting.fileDescriptor, style: .json),
            levels: LogLevelSwitch(.info), mode: mode)
        let registry = MetricsRegistry()
        log.register(in: registry)
        body(log)
        try pipe.fileHandleForWriting.close()
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        return (text.split(separator: "\n").map(String.init), Metrics(registry))
    }

    /// The page's two figures.
    private struct Metrics {
        var sampled = 0, full = 0

        init(_ registry: MetricsRegistry) {
            for line in registry.render().split(separator: "\n") {
                let value = Int(line.split(separator: " ").last ?? "") ?? 0
                if line.hasPrefix(#"log_lines_suppressed_total{reason="sampled"}"#) { sampled = value }
                if line.hasPrefix(#"log_lines_suppressed_total{reason="full"}"#) { full = value }
            }
        }
    }

    @Test("a line has the shape of other lines, with the time in milliseconds as a number")
    func shape() throws {
        var bytes: [UInt8] = []
        CallLine(line(), service: "api", leftOut: 7).appendJSON(Timestamp(milliseconds: 42), to: &bytes)
        #expect(
            String(decoding: bytes, as: UTF8.self) == """
                {"time":"1970-01-01T00:00:00.042Z","level":"info","service":"api","message":"call","metadata":\
                {"duration_ms":1.204,"left_out":7,"method":"vessel.VesselService/Create","peer":"10.1.2.3:4",\
                "request_id":"r-1","service":"vessel","status":"200","trace_id":"0af7651916cd43dd8448eb211c80319c"}}

                """)
    }

    @Test("what a caller sends can't spoil or stretch a line")
    func hostile() throws {
        for text in ["a\"b\\c\nd\u{0}\u{1b}[31m", String(repeating: "\u{1}", count: 16_000), "🚢"] {
            let bytes = CallLine(line(requestID: text, traceparent: text), service: "api", leftOut: 0).bytes(.json)
            #expect(bytes.count < 4_096)
            #expect(bytes.filter { $0 == UInt8(ascii: "\n") }.count == 1)
            let metadata = try metadata(bytes)
            #expect(metadata["trace_id"] == nil)
            #expect((metadata["request_id"] as? String)?.hasPrefix(String(text.prefix(20))) == true)
            let plain = CallLine(line(requestID: text), service: "api", leftOut: 0).bytes(.terminal)
            // The colours of the line itself are others.
            #expect(!String(decoding: plain, as: UTF8.self).contains("\u{1b}[31m"))
            #expect(plain.filter { $0 == UInt8(ascii: "\n") }.count == 1)
        }
    }

    @Test(
        "only a trace's id is taken for one",
        arguments: [
            "", "00", "00-0af7651916cd43dd8448eb211c80319c", "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", String(repeating: "船", count: 60),
        ])
    func noTrace(traceparent: String) {
        #expect(CallLine.traceID(traceparent) == nil)
        #expect(CallLine.traceID(Self.traceparent) == "0af7651916cd43dd8448eb211c80319c")
    }

    @Test("of many calls in one second the first have lines and of the rest one in a thousand, and none is forgotten")
    func sampling() throws {
        let calls = 50_000
        let now = NIODeadline.now()
        let (lines, page) = try written(.sampled) { log in
            for _ in 0..<calls where log.admits(.info, now) { log.write(line()) }
            // Errors have a bound of their own.
            for _ in 0..<100 where log.admits(.error, now) { log.write(line()) }
            // In the next second there is room again.
            #expect(log.admits(.info, now + .seconds(1)))
        }
        let expected = 20 + (calls - 20) / 1_000
        #expect(lines.count == expected + 100)
        #expect(page.sampled == calls - expected)
        let told = try lines.reduce(0) { try $0 + (metadata(Array($1.utf8))["left_out"] as? Int ?? 0) }
        #expect(told == page.sampled)
    }

    @Test("many threads lose no call: each is written or counted")
    func concurrent() async throws {
        let log = CallLog(
            service: "api", output: LogOutput(descriptor: -1, style: .json), levels: LogLevelSwitch(.info),
            mode: .sampled)
        let registry = MetricsRegistry()
        log.register(in: registry)
        let now = NIODeadline.now()
        let admitted = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask { (0..<20_000).reduce(0) { count, _ in log.admits(.info, now) ? count + 1 : count } }
            }
            return await group.reduce(0, +)
        }
        #expect((20...200).contains(admitted))
        #expect(Metrics(registry).sampled + admitted == 160_000)
    }

    /// What is in the pipe now.
    private func all(_ pipe: Pipe) -> [UInt8] {
        let descriptor = pipe.fileHandleForReading.fileDescriptor
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = read(descriptor, &buffer, buffer.count), count > 0 { bytes += buffer[..<count] }
        return bytes
    }

    @Test("a pipe that nobody reads costs lines, not time, and a later line says how many")
    func fullPipe() throws {
        let pipe = Pipe()
        let log = CallLog(
            service: "api", output: LogOutput(descriptor: pipe.fileHandleForWriting.fileDescriptor, style: .json),
            levels: LogLevelSwitch(.info), mode: .all)
        let registry = MetricsRegistry()
        log.register(in: registry)
        let began = NIODeadline.now()
        for _ in 0..<5_000 { log.write(line()) }
        // Waiting even once would take a second.
        #expect(NIODeadline.now() - began < .seconds(1))
        let lost = Metrics(registry).full
        #expect(lost > 1_000 && lost < 5_000)

        // Somebody reads all that is there: lines are whole.
        let text = String(decoding: all(pipe), as: UTF8.self)
        let lines = text.split(separator: "\n")
        #expect(lines.count == 5_000 - lost)
        for line in lines { _ = try metadata(Array(line.utf8)) }
        log.write(line())
        #expect(try metadata(all(pipe))["left_out"] as? Int == lost)
        log.write(line())
        #expect(try metadata(all(pipe))["left_out"] == nil)
    }

    @Test("the level and the mode decide, and a probe's lines are for those who look for them")
    func levels() {
        let levels = LogLevelSwitch(.info)
        func log(_ mode: CallLogMode) -> CallLog {
            CallLog(service: "s", output: LogOutput(descriptor: -1, style: .json), levels: levels, mode: mode)
        }
        let now = NIODeadline.now()
        #expect(!log(.none).admits(.error, now))
        #expect(!log(.all).admits(.debug, now))
        #expect(!log(.sampled).admits(.debug, now))
        let all = log(.all)
        #expect((0..<1_000).allSatisfy { _ in all.admits(.info, now) })
        levels.level = .error
        #expect(!all.admits(.warning, now))
        #expect(all.admits(.error, now))
        levels.level = .debug
        #expect(all.admits(.debug, now))
        #expect(Status.Code.allCases.filter { $0.logLevel == .error } == [.unknown, .internal, .dataLoss])
        #expect(Status.Code.notFound.logLevel == .info)
    }
}
