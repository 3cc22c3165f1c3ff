/// The state of a connection's keepalive: how long it has been silent or stalled, counted in ticks of its timer.
struct KeepaliveState {
    enum Action: Equatable { case nothing, ping, close }

    /// Ticks so far: a clock that costs nothing to read.
    private(set) var ticks = 0
    var hasRead = false
    var hasWritten = false
    private var silent = Duration.zero
    private var stalled = Duration.zero
    private var isPinged = false

    /// Takes over whether the transport read or wrote since the last tick.
    mutating func observe(_ transport: HTTP2Transport) {
        hasRead = transport.hasRead
        hasWritten = transport.hasWritten
        transport.hasRead = false
        transport.hasWritten = false
    }

    /// - Parameters:
    ///   - elapsed: time since the last tick.
    ///   - isWaitingToWrite: whether anything waits for the peer to read.
    mutating func tick(_ elapsed: Duration, isWaitingToWrite: Bool, interval: Duration, timeout: Duration) -> Action {
        ticks += 1
        if hasRead {
            silent = .zero
            isPinged = false
        } else {
            silent += elapsed
        }
        stalled = isWaitingToWrite && !hasWritten ? stalled + elapsed : .zero
        hasRead = false
        hasWritten = false
        // A peer that answers pings but reads nothing else for as long as a silent one may be silent is as good as gone.
        if stalled >= interval + timeout { return .close }
        if isPinged { return silent >= interval + timeout ? .close : .nothing }
        guard silent >= interval else { return .nothing }
        isPinged = true
        return .ping
    }
}
