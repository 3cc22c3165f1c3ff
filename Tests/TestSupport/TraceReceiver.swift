import Foundation
import Synchronization

/// A collector of traces, metrics and logs in a process of its own, which keeps what it is sent, and misbehaves when
/// asked to.
///
/// It is grpcio with OpenTelemetry's own messages, in the tests' Python. It ends with this object, or with the tests'
/// process.
public final class TraceReceiver: Sendable {
    public enum Mode: String, Sendable {
        case well
        /// Answers nothing until it is told otherwise.
        case hang
        /// Is there, and says that it is not.
        case refuse
        /// Says that it could not use the spans.
        case reject
        /// Takes the spans at once, and says so 300 ms later.
        case late
    }

    public let port: Int
    private let folder: TemporaryFolder
    private let isEncrypted: Bool
    private let process = Mutex<ProcessRun?>(nil)

    /// - Parameters:
    ///   - isEncrypted: speaks TLS, with a certificate of its own making.
    ///   - isRunning: false leaves the start to ``start()``.
    public init(isEncrypted: Bool = false, isRunning: Bool = true) async throws {
        folder = try TemporaryFolder()
        port = try Ports.free()
        self.isEncrypted = isEncrypted
        if isEncrypted {
            try await Tool.run(
                "openssl",
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout",
                    folder.file("server.key"), "-out", authority,
                ])
        }
        if isRunning { try await start() }
    }

    /// Starts it again, on the same port and with the spans that it had.
    public func start() async throws {
        let run = try ProcessRun(
            Tool.python,
            [Self.script, "--port", "\(port)", "--folder", folder.path] + (isEncrypted ? ["--tls"] : []))
        try await run.waitForOutput("listening", within: .seconds(60))
        process.withLock { $0 = run }
    }

    /// Ends it at once.
    public func kill() { process.withLock { $0 = nil } }

    public func behave(_ mode: Mode) throws {
        try Data(mode.rawValue.utf8).write(to: URL(fileURLWithPath: folder.file("mode")), options: .atomic)
    }

    /// What makes a program send its spans here, soon.
    public var environment: [String: String] {
        [
            "OTEL_EXPORTER_OTLP_ENDPOINT": "\(isEncrypted ? "https" : "http")://127.0.0.1:\(port)",
            "OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_EXPORTER_OTLP_CERTIFICATE": isEncrypted ? authority : "",
        ]
    }

    /// The file with the CA certificate that verifies it.
    public var authority: String { folder.file("server.pem") }

    /// All that it took, in that order.
    public var spans: [ReceivedSpan] { received("spans") }

    /// What is in a file of the script's.
    func received<Item: Decodable>(_ file: String) -> [Item] {
        guard let text = try? String(contentsOfFile: folder.file(file), encoding: .utf8) else { return [] }
        // The last line may be half written.
        let whole = text[..<(text.lastIndex(of: "\n") ?? text.startIndex)]
        return whole.split(separator: "\n").compactMap {
            try? JSONDecoder().decode(Item.self, from: Data($0.utf8))
        }
    }

    /// The spans of a trace, the earliest first.
    public func trace(_ id: String) -> [ReceivedSpan] {
        spans.filter { $0.trace == id }.sorted { $0.start < $1.start }
    }

    private static var script: String {
        (#filePath as NSString).deletingLastPathComponent + "/Scripts/otlp_receiver.py"
    }
}

/// A span as a collector got it. Ids are hexadecimal, times are nanoseconds since 1970.
public struct ReceivedSpan: Decodable, Sendable {
    public struct Link: Decodable, Sendable, Equatable {
        public var trace: String
        public var span: String
    }

    public var service: String
    public var resource: [String: String]
    public var trace: String
    public var span: String
    /// Empty for the first span of a trace.
    public var parent: String
    public var state: String
    public var name: String
    /// `server`, `client`, `internal`, `producer` or `consumer`.
    public var kind: String
    public var start: UInt64
    public var end: UInt64
    public var attributes: [String: String]
    public var events: [String]
    public var links: [Link]
    public var is_error: Bool
    public var flags: UInt32
    /// What came along with the batch.
    public var headers: [String: String]
}
