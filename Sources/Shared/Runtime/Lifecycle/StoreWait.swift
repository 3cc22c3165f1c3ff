import NIOCore

/// Decides what to say, and when to give up, while a store can't be reached. No clock and no I/O of its own.
struct StoreWait {
    /// Between two lines in the log.
    static let logInterval: TimeAmount = .seconds(5)
    /// Between two tries: doubles up to the last.
    static let retryFirst: Duration = .milliseconds(100)
    static let retryLast: Duration = .seconds(2)

    enum Event {
        case failed(reason: String)
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
    private var lastLog: NIODeadline
    private var reason = "no answer yet"
    private var hasFailed = false

    /// - Parameter timeout: `nil` waits for ever.
    init(address: String, timeout: Duration?, start: NIODeadline) {
        self.address = address
        self.timeout = timeout
        giveUpAt = timeout.map { start + TimeAmount($0) } ?? .distantFuture
        lastLog = start
    }

    mutating func handle(_ event: Event, at now: NIODeadline) -> Action {
        var isFirstFailure = false
        if case .failed(let reason) = event {
            self.reason = reason
            isFirstFailure = !hasFailed
            hasFailed = true
        }
        if now >= giveUpAt, let timeout {
            return .giveUp("the store at \(address) was not there within \(timeout): \(reason)")
        }
        guard isFirstFailure || now - lastLog >= Self.logInterval else { return .nothing }
        lastLog = now
        return .log("waiting for the store at \(address): \(reason)")
    }

    /// How long to wait after the `attempt`-th failure, counted from 0.
    static func retryDelay(_ attempt: Int) -> Duration {
        min(retryLast, retryFirst * (1 << min(attempt, 10)))
    }
}
