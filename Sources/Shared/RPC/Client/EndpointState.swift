/// Where one address stands. A state machine without I/O: each event answers what is to be done.
struct EndpointState {
    enum State: Equatable {
        /// Never used. -> `connecting`
        case idle
        /// -> `ready`, or `waiting` when it fails.
        case connecting
        /// -> `connecting` when the server says goodbye, `waiting` when the connection is lost.
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
        failures = 0
    }

    /// The attempt failed, or the connection was lost.
    mutating func failed(random: Double) -> Action {
        guard state == .connecting || state == .ready else { return .nothing }
        failures += 1
        state = .waiting
        return .wait(backoff.wait(after: failures, random: random))
    }

    /// The server sent GOAWAY: a new connection is made at once; should that fail, it waits as always.
    mutating func saidGoodbye() -> Action {
        guard state == .ready else { return .nothing }
        state = .connecting
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
