/// The connectivity state of one address. A state machine without I/O: each event returns what is to be done.
///
/// Source: gRPC, "Connectivity Semantics and API"; `retired` is ours.
struct SubchannelState {
    enum State: Equatable {
        /// Never used. -> `connecting`
        case idle
        /// -> `ready`, or `transientFailure` when it fails.
        case connecting
        /// -> `connecting` at the connection's end, `transientFailure` when it ended too soon, `retired` when the name
        /// loses the address.
        case ready
        /// Between attempts. -> `connecting` when the wait is over or another event loop has connected.
        case transientFailure
        /// No longer among the name's addresses, but connected: goes on taking calls. -> `ready` when the name has the
        /// address again, `shutdown` when the connection ends or another address replaces it.
        case retired
        /// No longer among the name's addresses. Final.
        case shutdown
    }

    enum Action: Equatable {
        case nothing
        case connect
        /// Call ``retry()`` after so long.
        case wait(Duration)
    }

    /// A connection that lived for so long is no failure: the next one is made at once.
    static let provenAfter = Duration.seconds(1)

    private(set) var state = State.idle
    private var failures = 0
    /// Whether it waits because connections did not last, rather than because none could be made.
    private var endedTooSoon = false
    private let backoff: Backoff

    init(backoff: Backoff) {
        self.backoff = backoff
    }

    /// A connection is wanted.
    mutating func connectIfIdle() -> Action {
        guard state == .idle else { return .nothing }
        state = .connecting
        return .connect
    }

    mutating func connected() {
        guard state == .connecting else { return }
        state = .ready
    }

    /// The attempt failed.
    mutating func failed(random: Double) -> Action {
        guard state == .connecting else { return .nothing }
        failures += 1
        state = .transientFailure
        endedTooSoon = false
        return .wait(backoff.wait(after: failures, random: random))
    }

    /// The connection was lost, or the server sent GOAWAY. A server that ends each connection as soon as it is made
    /// must not keep us busy: only the first such end is followed by an attempt at once. A connection that `lived` for
    /// ``provenAfter`` or answered a call resets the failures.
    mutating func ended(lived: Duration, hasAnswered: Bool, random: Double) -> Action {
        if state == .retired { state = .shutdown }
        guard state == .ready else { return .nothing }
        state = .connecting
        if lived >= Self.provenAfter || hasAnswered {
            failures = 0
        } else if failures > 0 {
            let action = failed(random: random)
            endedTooSoon = true
            return action
        }
        failures += 1
        return .connect
    }

    /// Another event loop has just connected to the same address. Does not shorten the wait for a server that ends each
    /// connection: loops would wake each other without pause.
    mutating func otherLoopConnected() -> Action {
        endedTooSoon ? .nothing : retry()
    }

    /// The wait is over.
    mutating func retry() -> Action {
        guard state == .transientFailure else { return .nothing }
        state = .connecting
        return .connect
    }

    /// The name has lost the address. A connection is kept: DNS may be behind, and what it names may not answer yet.
    mutating func retire() {
        state = state == .ready || state == .retired ? .retired : .shutdown
    }

    /// The name has the address, perhaps again.
    mutating func restore() {
        if state == .retired { state = .ready }
    }

    mutating func remove() {
        state = .shutdown
    }
}
