import Logging
import NIOCore
import Synchronization

/// A client's share on one event loop: its connections there, and the calls that run or wait there.
///
/// `@unchecked Sendable`: callers carry it to `eventLoop`, and touch it only there but for what is set once and for the atomic
/// count. ``RPCClient`` goes there before it calls (asserted in what it calls and where calls end); subchannels, connections
/// and the timer are that loop's.
final class LoopClient: @unchecked Sendable {
    let eventLoop: any EventLoop
    let configuration: RPCClient.Configuration
    let logger: Logger
    /// Asks for a fresh look at the name.
    let resolveAgain: @Sendable () -> Void

    /// The client's parts on its other loops. Set before the first address is known; emptied by ``shutdown()``.
    var others: [LoopClient] = []
    var subchannels: [Subchannel] = []
    /// Those whose addresses the name has lost, each connected: they take calls until one of `subchannels` is.
    private(set) var retired: [Subchannel] = []
    /// Connections that may take calls.
    private(set) var ready: [ClientConnection] = []
    /// The count of `ready`, for readers on any thread.
    let readyCount = Atomic(0)
    /// Every call that is not finished.
    private var calls: [ClientCall] = []
    /// Unfinished calls that wait for a connection, or for room on one; probes first, then the oldest. May hold
    /// finished ones, which are skipped.
    var waiting = CircularBuffer<ClientCall>()
    /// Whether a connection took calls when ``connectionsChanged()`` last ran.
    var isConnected = false
    let deadlines: DeadlineTimer
    /// Why there is no address, if there is none.
    var resolveFailure: Status?
    private var isShutDown = false
    private var randomState: UInt64 = .random(in: 1...UInt64.max)

    init(
        _ eventLoop: any EventLoop, _ configuration: RPCClient.Configuration, logger: Logger,
        resolveAgain: @escaping @Sendable () -> Void
    ) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.logger = logger
        self.resolveAgain = resolveAgain
        self.deadlines = DeadlineTimer(eventLoop)
        deadlines.onFire = { self.expireCalls(.now()) }
    }

    // MARK: Calls

    func start(_ call: ClientCall) {
        eventLoop.assertInEventLoop()
        call.isStarted = true
        guard !call.isCancelled else {
            call.finish(.init(result: .failure(Status(.cancelled, "the call was cancelled"))))
            return
        }
        guard !isShutDown else {
            call.finish(.givenUp(Status(.unavailable, "the client is shut down")))
            return
        }
        guard !call.deadline.isExpired else {
            call.finish(.init(result: .failure(Status(.deadlineExceeded, "the deadline has passed"))))
            return
        }
        call.index = calls.count
        calls.append(call)
        deadlines.arm(call.deadline.instant)
        dispatch(call)
    }

    private func dispatch(_ call: ClientCall) {
        if let connection = pick(probe: call.isProbe) {
            connection.send(call)
            return
        }
        for subchannel in subchannels { subchannel.connectIfIdle() }
        enqueue(call)
    }

    /// Of two connections taken at random the one with fewer calls in flight ("power of two choices").
    private func pick(probe: Bool) -> ClientConnection? {
        switch ready.count {
        case 0: return nil
        case 1: return ready[0].canTake(probe: probe) ? ready[0] : nil
        default:
            let first = Int(random() % UInt64(ready.count))
            let second = (first + 1 + Int(random() % UInt64(ready.count - 1))) % ready.count
            let better = ready[first].inFlight <= ready[second].inFlight ? ready[first] : ready[second]
            return better.canTake(probe: probe) ? better : ready.first { $0.canTake(probe: probe) }
        }
    }

    /// xorshift64: balancing needs no better randomness, and the system's costs a system call.
    private func random() -> UInt64 {
        randomState ^= randomState << 13
        randomState ^= randomState >> 7
        randomState ^= randomState << 17
        return randomState
    }

    var randomShare: Double { Double(random() >> 11) / Double(1 << 53) }

    func end(_ call: ClientCall, _ outcome: ClientCall.Outcome) {
        eventLoop.assertInEventLoop()
        if call.index >= 0 {
            let last = calls.removeLast()
            if last !== call {
                calls[call.index] = last
                last.index = call.index
            }
            call.index = -1
        }
        call.finish(outcome)
        if !waiting.isEmpty { sendWaiting() }
    }

    func sendWaiting() {
        while let call = waiting.first {
            if call.isFinished {
                waiting.removeFirst()
            } else if let connection = pick(probe: call.isProbe) {
                waiting.removeFirst()
                call.connectBy = .distantFuture
                connection.send(call)
            } else {
                return
            }
        }
    }

    /// Nobody waits for `call` any more.
    func cancel(_ call: ClientCall, _ status: Status) {
        eventLoop.assertInEventLoop()
        // A task's cancellation may overtake its call on the way to this loop.
        guard call.isStarted else {
            call.isCancelled = true
            return
        }
        guard !call.isFinished else { return }
        let connection = call.connection
        end(call, .init(result: .failure(status)))
        connection?.cancel(call)
    }

    private func expireCalls(_ now: NIODeadline) -> NIODeadline? {
        var next = NIODeadline.distantFuture
        for call in calls {
            if call.deadline.instant <= now {
                cancel(call, Status(.deadlineExceeded, "the deadline has passed"))
            } else if call.connectBy <= now {
                end(call, .givenUp(noConnection))
            } else {
                next = min(next, call.deadline.instant, call.connectBy)
            }
        }
        return next == .distantFuture ? nil : next
    }

    // MARK: Subchannels

    /// The name's addresses now. New ones are connected to at once if the client is in use; missing ones take no new calls
    /// once another is connected.
    func update(_ addresses: [SocketAddress]) {
        eventLoop.assertInEventLoop()
        guard !isShutDown else { return }
        resolveFailure = nil
        let known = subchannels + retired
        let inUse = !calls.isEmpty || known.contains { !$0.isIdle }
        subchannels = known.filter { addresses.contains($0.address) }
        retired = known.filter { !addresses.contains($0.address) }
        for subchannel in subchannels { subchannel.restore() }
        for subchannel in retired { subchannel.retire() }
        for address in addresses where !subchannels.contains(where: { $0.address == address }) {
            let subchannel = Subchannel(address, self)
            subchannels.append(subchannel)
            if inUse { subchannel.connectIfIdle() }
        }
        releaseRetired()
        sendWaiting()
        failQueuedCallsIfUnreachable()
        if subchannels.isEmpty, !waiting.isEmpty { resolveAgain() }
    }

    /// Removes retired addresses that are replaced or no longer connected.
    func releaseRetired() {
        guard !retired.isEmpty else { return }
        let kept = subchannels.contains(where: \.isReady) ? [] : retired.filter(\.isRetired)
        let released = retired.filter { subchannel in !kept.contains { $0 === subchannel } }
        retired = kept
        for subchannel in released { subchannel.remove() }
    }

    func resolveFailed(_ status: Status) {
        eventLoop.assertInEventLoop()
        guard subchannels.isEmpty else { return }
        resolveFailure = status
        failQueuedCallsIfUnreachable()
        // The name may resolve at any moment: its service is being started.
        if !waiting.isEmpty { resolveAgain() }
    }

    func becameReady(_ connection: ClientConnection, _ address: SocketAddress) {
        ready.append(connection)
        readyCount.store(ready.count, ordering: .relaxed)
        releaseRetired()
        for other in others { other.eventLoop.execute { other.otherLoopConnected(to: address) } }
        connectionsChanged()
    }

    func becameUnready(_ connection: ClientConnection) {
        ready.removeAll { $0 === connection }
        readyCount.store(ready.count, ordering: .relaxed)
        connectionsChanged()
    }

    /// Ends the subchannel's wait for its next attempt: another loop has found the service reachable.
    private func otherLoopConnected(to address: SocketAddress) {
        eventLoop.assertInEventLoop()
        for subchannel in subchannels where subchannel.address == address { subchannel.otherLoopConnected() }
    }

    func shutdown() {
        eventLoop.assertInEventLoop()
        isShutDown = true
        others = []
        deadlines.cancel()
        waiting.removeAll()
        for call in calls { cancel(call, Status(.unavailable, "the client is shut down")) }
        for subchannel in subchannels + retired { subchannel.remove(closingNow: true) }
        subchannels = []
        retired = []
    }
}
