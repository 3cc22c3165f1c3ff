import NIOCore
import Synchronization

/// Whether a program takes calls, and if not, why.
///
/// Checks run in the background, each in a loop of its own; whoever asks gets the last results. So a probe costs
/// nothing, any number of probes cause no load on a store, and a check that hangs can't make a probe hang.
public final class Readiness: Sendable {
    /// How often a check that is well is repeated.
    static let intervalWell: Duration = .seconds(1)
    /// How often a check that is not well is repeated, so that a start is noticed soon.
    static let intervalUnwell: Duration = .milliseconds(200)
    /// A result older than this says that the check hangs.
    static let resultAgeMax: Duration = .seconds(6)

    private struct Result {
        var reason: String?
        var at: NIODeadline
    }

    private struct State {
        var checks: [ReadinessCheck] = []
        var results: [String: Result] = [:]
        var isDraining = false
    }

    private let state = Mutex(State())

    public init() {}

    /// Adds a check; only before the program runs.
    public func add(_ check: ReadinessCheck) {
        state.withLock { $0.checks.append(check) }
    }

    /// From now on, for good, the program is not ready, because it is about to stop.
    public func beginDraining() {
        state.withLock { $0.isDraining = true }
    }

    /// What is known now. Quick; may be called on event loops.
    public func report() -> ReadinessReport {
        report(now: .now())
    }

    func report(now: NIODeadline) -> ReadinessReport {
        state.withLock { state in
            let checks = state.checks.map { check in
                ReadinessReport.Check(name: check.name, reason: Self.reason(state.results[check.name], now: now))
            }
            return ReadinessReport(isDraining: state.isDraining, checks: checks)
        }
    }

    private static func reason(_ result: Result?, now: NIODeadline) -> String? {
        guard let result else { return "not checked yet" }
        let age = Duration.nanoseconds((now - result.at).nanoseconds)
        guard age <= resultAgeMax else { return "no answer for \(age.components.seconds) s" }
        return result.reason
    }

    /// Runs the checks until the task is cancelled.
    func run() async {
        let checks = state.withLock { $0.checks }
        await withTaskGroup { group in
            for check in checks {
                group.addTask { await self.run(check) }
            }
        }
    }

    private func run(_ check: ReadinessCheck) async {
        while !Task.isCancelled {
            let reason = await check.run()
            record(check.name, reason, at: .now())
            try? await Task.sleep(for: reason == nil ? Self.intervalWell : Self.intervalUnwell)
        }
    }

    func record(_ name: String, _ reason: String?, at instant: NIODeadline) {
        state.withLock { $0.results[name] = Result(reason: reason, at: instant) }
    }
}

/// What ``Readiness`` knew at one moment.
public struct ReadinessReport: Sendable, Equatable {
    /// The outcome of one check.
    public struct Check: Sendable, Equatable {
        public var name: String
        /// `nil` when all is well.
        public var reason: String?
    }

    public var isDraining: Bool
    public var checks: [Check]

    /// Whether calls should be sent here.
    public var isReady: Bool { !isDraining && checks.allSatisfy { $0.reason == nil } }

    /// `{"status": "ready", "checks": [{"name": …, "ready": …, "reason": …}]}`; the status may also be `not ready` or
    /// `draining`.
    public var json: String {
        var bytes = Array("{\"status\":\"".utf8)
        bytes += Array((isDraining ? "draining" : isReady ? "ready" : "not ready").utf8)
        bytes += Array("\",\"checks\":[".utf8)
        for (index, check) in checks.enumerated() {
            bytes += Array((index == 0 ? "{\"name\":" : ",{\"name\":").utf8)
            JSONText.append(check.name, to: &bytes)
            bytes += Array(",\"ready\":\(check.reason == nil)".utf8)
            if let reason = check.reason {
                bytes += Array(",\"reason\":".utf8)
                JSONText.append(reason, to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
        bytes += Array("]}\n".utf8)
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// One thing that must be well before a program takes calls, such as its store.
public struct ReadinessCheck: Sendable {
    /// Unique in a program; shown by `/readyz`.
    public let name: String
    let run: @Sendable () async -> String?

    /// - Parameter run: answers `nil` when all is well, else why not, in words without secrets. Called again and again,
    ///   one call at a time, off the event loops; it should give up within a second or two, but if it hangs, the check
    ///   counts as failed.
    public init(_ name: String, run: @escaping @Sendable () async -> String?) {
        self.name = name
        self.run = run
    }
}
