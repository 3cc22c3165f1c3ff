import NIOCore
import Storage

/// Decides what to say, and when to give up, while a store can't be reached. No clock and no I/O of its own.
struct StoreWait {
    /// Between two lines in the log.
    static let logInterval: TimeAmount = .seconds(5)
    /// Between two tries: doubles up to the last.
    static let retryFirst: Duration = .milliseconds(100)
    static let retryLast: Duration = .seconds(2)

    enum Event {
        case failed(reason: String)
        case failedPermanently(StorageError)
        /// Comes several times a second, so that a try that hangs is noticed too.
        case tick
    }

    enum Action: Equatable {
        case nothing
        case log(String)
        case giveUp(String)
    }

    private let address: String
    private let giveUpAt: NIODeadline
    private let timeout: Duration?
    private let storeFailureGrace: TimeAmount
    /// A denied access within its grace period that no other failure has followed yet, and when it began.
    private var permanentFailure: (text: String, since: NIODeadline)?
    private var lastLog: NIODeadline
    private var reason = "no answer yet"
    private var hasFailed = false

    /// - Parameters:
    ///   - timeout: `nil` waits for ever.
    ///   - storeFailureGrace: how long a store may deny access.
    init(address: String, timeout: Duration?, storeFailureGrace: Duration, start: NIODeadline) {
        self.address = address
        self.storeFailureGrace = TimeAmount(storeFailureGrace)
        self.timeout = timeout
        giveUpAt = timeout.map { start + TimeAmount($0) } ?? .distantFuture
        lastLog = start
    }

    mutating func handle(_ event: Event, at now: NIODeadline) -> Action {
        var isFirstFailure = false
        switch event {
        case .failed(let reason):
            isFirstFailure = recordFailure(reason)
            permanentFailure = nil
        case .failedPermanently(let failure):
            // Access may be granted without us: in a new cluster a database answers before its users are made.
            guard failure.kind == .accessDenied else { return giveUp(failure.message) }
            isFirstFailure = recordFailure("it refuses: \(failure)")
            permanentFailure = (text: failure.message, since: permanentFailure?.since ?? now)
        case .tick: break
        }
        if let failure = permanentFailure, now - failure.since >= storeFailureGrace || now >= giveUpAt {
            return giveUp(failure.text)
        }
        if now >= giveUpAt, let timeout {
            return .giveUp("the store at \(address) was not there within \(timeout): \(reason)")
        }
        guard isFirstFailure || now - lastLog >= Self.logInterval else { return .nothing }
        lastLog = now
        return .log("waiting for the store at \(address): \(reason)")
    }

    /// - Returns: whether it is the first.
    private mutating func recordFailure(_ reason: String) -> Bool {
        self.reason = reason
        defer { hasFailed = true }
        return !hasFailed
    }

    private func giveUp(_ failure: String) -> Action {
        .giveUp("the store at \(address) refuses: \(failure)")
    }

    /// How long to wait after the `attempt`-th failure, counted from 0.
    static func retryDelay(_ attempt: Int) -> Duration {
        min(retryLast, retryFirst * (1 << min(attempt, 10)))
    }
}
