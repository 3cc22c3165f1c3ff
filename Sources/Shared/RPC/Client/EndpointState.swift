/// Where one address stands. A state machine without I/O: each event answers what is to be done.
struct EndpointState {
    enum State: Equatable {
        /// Never used. -> `connecting`
        case idle
        /// -> `ready`, or `waiting` when it fails.
        case connecting
        /// -> `connecting` at the connection's end, `waiting` when it ended too soon.
        case ready
        /// Between attempts. -> `connecting` when the time has come.
        case waiting
        /// No longer among the name's addresses. Final.
        case removed
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
    private let backoff: Backoff

    init(backoff: Backoff) {
        self.backoff = backoff
    }

    /// A connection is wanted.
    mutating func want() -> Action {
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
        state = .waiting
        return .wait(backoff.wait(after: failures, random: random))
    }

    /// The connection was lost, or the server sent GOAWAY. A server that ends each connection as soon as it is made
    /// must not keep us busy, so only the first such end is followed by an attempt at once, and only a connection that
    /// `lived` makes up for it.
    mutating func ended(lived: Duration, random: Double) -> Action {
        guard state == .ready else { return .nothing }
        state = .connecting
        if lived >= Self.provenAfter { failures = 0 } else if failures > 0 { return failed(random: random) }
        failures += 1
        return .connect
    }

    mutating func retry() -> Action {
        guard state == .waiting else { return .nothing }
        state = .connecting
        return .connect
    }

    mutating func remove() {
        state = .removed
    }
}
