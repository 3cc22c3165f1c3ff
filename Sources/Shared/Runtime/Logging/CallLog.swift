import Logging
import NIOCore
import RPC
import Synchronization

/// Which calls get a line in the log.
public enum CallLogMode: String, Sendable, CaseIterable {
    /// In each second the first few of each level, and of those beyond one in many.
    case sampled
    case all
    case none
}

/// Writes a line for a call: the same JSON, or text, as other lines, without going through a logger.
///
/// It never waits: a line that its pipe has no room for is left out and counted. Usable from any thread.
public final class CallLog: Sendable {
    /// What a line says. Without bodies, tokens and queries: a log has more readers than an answer.
    public struct Line {
        public var level: Logger.Level
        /// The RPC method, or the HTTP method and route.
        public var method: String
        /// The service that was called, at a gateway.
        public var service: String?
        /// The gRPC code's name, or the HTTP status.
        public var status: String
        public var nanoseconds: Int64
        public var requestID: String?
        /// The header `traceparent`, from which the trace's id is taken.
        public var traceparent: String?
        public var peer: String

        public init(
            level: Logger.Level, method: String, service: String? = nil, status: String, nanoseconds: Int64,
            requestID: String?, traceparent: String?, peer: String
        ) {
            self.level = level
            self.method = method
            self.service = service
            self.status = status
            self.nanoseconds = nanoseconds
            self.requestID = requestID
            self.traceparent = traceparent
            self.peer = peer
        }
    }

    /// Lines of a second that are all written, by level; errors have more room, and none takes another's.
    static let linesPerSecondMax: [Logger.Level: UInt64] = [.debug: 20, .info: 20, .warning: 20, .error: 100]

    private let service: String
    private let output: LogOutput
    private let levels: LogLevelSwitch
    private let mode: CallLogMode
    private let debug = CallSampler(perSecondMax: linesPerSecondMax[.debug] ?? 0)
    private let info = CallSampler(perSecondMax: linesPerSecondMax[.info] ?? 0)
    private let warning = CallSampler(perSecondMax: linesPerSecondMax[.warning] ?? 0)
    private let error = CallSampler(perSecondMax: linesPerSecondMax[.error] ?? 0)
    /// Lines that the output had no room for.
    private let dropped = Atomic<UInt64>(0)
    /// How many of those left out were told of in a line.
    private let told = Mutex<UInt64>(0)

    /// - Parameter service: the program, such as `vessel`.
    public init(service: String, output: LogOutput, levels: LogLevelSwitch, mode: CallLogMode) {
        self.service = service
        self.output = output
        self.levels = levels
        self.mode = mode
    }

    /// Whether a call that ends now gets a line. Ask once for each call: calls are counted here.
    public func admits(_ level: Logger.Level, _ now: NIODeadline) -> Bool {
        guard mode != .none, levels.level <= level else { return false }
        if mode == .all { return true }
        switch level {
        case .trace, .debug: return debug.admits(now)
        case .info, .notice: return info.admits(now)
        case .warning: return warning.admits(now)
        case .error, .critical: return error.admits(now)
        }
    }

    /// Writes the line of a call that was admitted.
    public func write(_ line: Line) {
        let total = leftOut
        let news = told.withLock { told in
            // Somebody with a later total may have been here first.
            guard total > told else { return UInt64(0) }
            defer { told = total }
            return total - told
        }
        let time = Timestamp.now()
        let bytes = CallLine(line, service: service, leftOut: news).bytes(output.style, at: time)
        guard output.writeUnlessFull(bytes) else {
            dropped.wrappingAdd(1, ordering: .relaxed)
            told.withLock { $0 -= news }
            return
        }
        output.tap.add(LogRecord(line, service: service, leftOut: news, time: time))
    }

    /// Calls without a line, by sampling or for want of room.
    private var leftOut: UInt64 { sampled + dropped.load(ordering: .relaxed) }

    private var sampled: UInt64 { debug.leftOut + info.leftOut + warning.leftOut + error.leftOut }

    /// Adds `log_lines_suppressed_total`, which counts the output's other lines too.
    public func register(in registry: MetricsRegistry) {
        let name = "log_lines_suppressed_total"
        let help = "Lines that are not in the log: of calls left out by sampling, or any, as the output was full."
        registry.counter(name, help, labels: [("reason", "sampled")]) { Double(self.sampled) }
        registry.counter(name, help, labels: [("reason", "full")]) {
            Double(self.dropped.load(ordering: .relaxed) + self.output.lost.count)
        }
    }
}

/// Counts and logs the calls of one RPC method that the program serves.
struct MethodObserver: CallObserver {
    /// `nil` counts nothing.
    let recorder: MethodRecorder?
    let log: CallLog
    let method: String
    /// For calls that somebody's watch makes: they are lines of the level `debug`.
    let isProbe: Bool

    func callBegan() {
        recorder?.callBegan()
    }

    func callEnded(_ code: Status.Code, metadata: Metadata, peer: String, began: NIODeadline, ended: NIODeadline) {
        let nanoseconds = (ended - began).nanoseconds
        recorder?.callEnded(code, nanoseconds: nanoseconds)
        let level = isProbe ? .debug : code.logLevel
        guard log.admits(level, ended) else { return }
        log.write(
            .init(
                level: level, method: method, status: code.name, nanoseconds: nanoseconds,
                requestID: metadata["x-request-id"], traceparent: metadata["traceparent"], peer: peer))
    }
}

extension Status.Code {
    /// How loudly a server says that it ended a call so: what callers did wrong is their affair.
    var logLevel: Logger.Level {
        switch self {
        case .ok, .cancelled, .invalidArgument, .notFound, .alreadyExists, .permissionDenied, .failedPrecondition,
            .aborted, .outOfRange, .unimplemented, .unauthenticated:
            .info
        case .deadlineExceeded, .resourceExhausted, .unavailable: .warning
        case .unknown, .internal, .dataLoss: .error
        }
    }
}
