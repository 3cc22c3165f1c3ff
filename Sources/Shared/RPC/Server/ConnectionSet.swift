import NIOConcurrencyHelpers
import Synchronization

/// The connections open now. Safe to use from any thread.
final class ConnectionSet: Sendable {
    /// What connections do, those that are added later included.
    enum Phase {
        /// -> `draining`
        case serving
        /// They finish the calls that they have. -> `closed`
        case draining
        /// They are closed. Final.
        case closed
    }

    fileprivate struct State {
        var open: [ObjectIdentifier: ServerConnection] = [:]
        var phase = Phase.serving
        var waiters: [CheckedContinuation<Void, Never>] = []
        /// The longest-idle connections of the last search; the longest-idle one is last.
        var candidates: [ObjectIdentifier] = []
        /// No search before this uptime, in nanoseconds: the last one found nothing.
        var nextSearch: UInt64 = 0
    }

    /// Idle connections that one search finds. A search for each newcomer would be quadratic under a flood of them.
    private static let candidatesMax = 256
    /// Time after a search that found nothing, in nanoseconds.
    private static let searchPause: UInt64 = 10_000_000

    private let state = NIOLockedValueBox(State())

    var count: Int { state.withLockedValue { $0.open.count } }

    /// Adds a connection, and returns what it has to do.
    func add(_ connection: ServerConnection) -> Phase {
        state.withLockedValue {
            $0.open[ObjectIdentifier(connection)] = connection
            return $0.phase
        }
    }

    func remove(_ connection: ServerConnection) {
        let waiters = state.withLockedValue { state -> [CheckedContinuation<Void, Never>] in
            state.open[ObjectIdentifier(connection)] = nil
            guard state.open.isEmpty else { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Sets the phase, also for connections that are added later: one may be accepted before the listener closes and begin
    /// after that.
    ///
    /// - Returns: the open connections.
    func setPhase(_ phase: Phase) -> [ServerConnection] {
        state.withLockedValue {
            if $0.phase != .closed { $0.phase = phase }
            return Array($0.open.values)
        }
    }

    /// Returns when no connection is open.
    func waitUntilEmpty() async {
        await withCheckedContinuation { waiter in
            let isEmpty = state.withLockedValue { state in
                if !state.open.isEmpty { state.waiters.append(waiter) }
                return state.open.isEmpty
            }
            if isEmpty { waiter.resume() }
        }
    }

    /// A connection that has been idle for about the longest, at least since `latest`, an uptime in nanoseconds; `nil`
    /// when there is none. It is not returned again before its next call.
    func takeLongestIdle(since latest: UInt64) -> ServerConnection? {
        state.withLockedValue { state in
            if let known = state.takeCandidate(since: latest) { return known }
            guard latest >= state.nextSearch else { return nil }
            var idle: [(id: ObjectIdentifier, since: UInt64)] = []
            for (id, connection) in state.open {
                let since = connection.idleSince.load(ordering: .relaxed)
                if since <= latest { idle.append((id, since)) }
            }
            guard !idle.isEmpty else {
                state.nextSearch = latest + Self.searchPause
                return nil
            }
            idle.sort { $0.since < $1.since }
            state.candidates = idle.prefix(Self.candidatesMax).reversed().map(\.id)
            return state.takeCandidate(since: latest)
        }
    }
}

extension ConnectionSet.State {
    /// The next candidate that is still open and idle.
    fileprivate mutating func takeCandidate(since latest: UInt64) -> ServerConnection? {
        while let id = candidates.popLast() {
            guard let connection = open[id] else { continue }
            let since = connection.idleSince.load(ordering: .relaxed)
            guard since <= latest else { continue }
            let (isTaken, _) = connection.idleSince.compareExchange(
                expected: since, desired: ServerConnection.isBusy, ordering: .relaxed)
            if isTaken { return connection }
        }
        return nil
    }
}
