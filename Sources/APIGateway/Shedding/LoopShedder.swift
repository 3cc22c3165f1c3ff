import NIOCore
import Synchronization

/// The queues of one event loop, one for each method: carries out what ``ShedderState`` decides. No lock; a call that need
/// not wait allocates nothing.
///
/// `@unchecked Sendable`: tasks of its loop carry it. The counters are atomic. All else is set by `init`, before the object
/// is shared, and then touched on its loop only: ``LoadShedder/current`` finds it by the loop that the caller runs on, tasks
/// of requests have that loop as their executor preference, so that they are there again after each suspension, and what it
/// schedules itself runs there. Each method that others call asserts it, `waitForTurn` in `enqueue`.
final class LoopShedder: @unchecked Sendable {
    /// What becomes of a call that had to wait.
    enum Turn: Sendable {
        /// It may go on to its service, and has to say ``finished(_:now:)`` at its end.
        case start
        /// It is shed.
        case shed(SheddingReason)
        /// Its caller left.
        case gone
    }

    /// Request bytes that may wait on a loop.
    static let queuedBytesMax = 16 * 1024 * 1024
    /// Time between two checks of what waits.
    static let checkInterval = TimeAmount.milliseconds(20)
    /// An event loop whose checks are so late, on the average of the last ones, has too little of a processor.
    static let latenessMax = TimeAmount.milliseconds(5)
    /// Shedding is over when no call was shed for so long.
    static let calmInterval = TimeAmount.seconds(2)

    let eventLoop: any EventLoop
    private let methods: [LoadShedder.Method]
    private let log: SheddingLog
    private var states: [ShedderState<QueuedRequest>]
    let counters: [MethodCounters]
    private(set) var queuedBytes = 0
    private var isCheckScheduled = false
    /// How late checks are, on the average of the last ones, in nanoseconds.
    private var lateness: Int64 = 0
    /// Whether calls were shed lately, and how many.
    private var isShedding = false
    private var shedCount = 0
    /// Kept for its memory.
    private var shed: [QueuedRequest] = []

    init(_ eventLoop: any EventLoop, methods: [LoadShedder.Method], log: SheddingLog) {
        self.eventLoop = eventLoop
        self.methods = methods
        self.log = log
        states = methods.map { ShedderState($0.bounds) }
        counters = methods.map { _ in MethodCounters() }
    }

    /// Takes a place for a call, if one is free; else it has to ``waitForTurn(_:bytes:)``. Each one taken is followed by one
    /// ``finished(_:now:)``.
    func tryStart(_ method: Int) -> Bool {
        eventLoop.assertInEventLoop()
        return states[method].start()
    }

    /// Waits until the call may go on to its service.
    ///
    /// - Parameter bytes: what it holds in memory meanwhile.
    func waitForTurn(_ method: Int, bytes: Int) async -> Turn {
        let request = QueuedRequest(bytes: bytes)
        return await withTaskCancellationHandler {
            // Unsafe continuation: `QueuedRequest.resume` takes it out before it resumes it, and each request that is
            // queued is taken out of the queue by `finished`, `check`, or `cancel`.
            await withUnsafeContinuation { continuation in
                enqueue(request, method, continuation)
            }
        } onCancel: {
            // Always by a turn of the loop: the request may not be queued yet.
            eventLoop.execute { self.cancel(request) }
        }
    }

    /// A call that had a place has ended, however it did.
    func finished(_ method: Int, now: NIODeadline) {
        eventLoop.assertInEventLoop()
        if let next = states[method].finish(now: now) { resume(next, method, .start) }
    }

    // MARK: What waits

    private func enqueue(_ request: QueuedRequest, _ method: Int, _ continuation: UnsafeContinuation<Turn, Never>) {
        eventLoop.assertInEventLoop()
        // A call that waits for a connection keeps no other from its place.
        guard methods[method].isReachable(eventLoop) else {
            states[method].startUnchecked()
            return continuation.resume(returning: .start)
        }
        guard queuedBytes + request.bytes <= Self.queuedBytesMax,
            states[method].enqueue(request, now: .now())
        else {
            recordShed(method, .queue)
            return continuation.resume(returning: .shed(.queue))
        }
        request.continuation = continuation
        queuedBytes += request.bytes
        counters[method].queued.store(states[method].queuedCount, ordering: .relaxed)
        if !isCheckScheduled {
            lateness = 0
            scheduleCheck(.now())
        }
    }

    private func resume(_ request: QueuedRequest, _ method: Int, _ turn: Turn) {
        queuedBytes -= request.bytes
        counters[method].queued.store(states[method].queuedCount, ordering: .relaxed)
        request.resume(turn)
    }

    private func cancel(_ request: QueuedRequest) {
        eventLoop.assertInEventLoop()
        guard request.continuation != nil else { return }
        queuedBytes -= request.bytes
        request.isGone = true
        request.resume(.gone)
    }

    private func scheduleCheck(_ now: NIODeadline) {
        isCheckScheduled = true
        let due = now + Self.checkInterval
        eventLoop.scheduleTask(in: Self.checkInterval) { self.check(.now(), due: due) }
    }

    private func check(_ now: NIODeadline, due: NIODeadline) {
        isCheckScheduled = false
        lateness += ((now - due).nanoseconds - lateness) / 8
        // Of the two signs neither is enough: a loop is late beside a busy program, and a queue is long before a slow store.
        let isSaturated = lateness > Self.latenessMax.nanoseconds && states.contains { $0.hasLongQueue }
        for method in states.indices {
            for request in states[method].setSaturated(isSaturated, now: now) { resume(request, method, .start) }
        }
        for method in states.indices where states[method].needsCheck {
            if !methods[method].isReachable(eventLoop) {
                for request in states[method].startWaiting(now: now) { resume(request, method, .start) }
            }
            states[method].check(now: now, into: &shed)
            for request in shed {
                recordShed(method, .wait)
                resume(request, method, .shed(.wait))
            }
            shed.removeAll(keepingCapacity: true)
            counters[method].queued.store(states[method].queuedCount, ordering: .relaxed)
            counters[method].isShedding.store(states[method].isShedding, ordering: .relaxed)
            if states[method].needsCheck, !isCheckScheduled { scheduleCheck(now) }
        }
        // No check follows that could undo it.
        if !isCheckScheduled { for method in states.indices { _ = states[method].setSaturated(false, now: now) } }
    }

    // MARK: The log

    private func recordShed(_ method: Int, _ reason: SheddingReason) {
        counters[method].record(reason)
        shedCount += 1
        if !isShedding {
            isShedding = true
            log.began(
                methods[method].name, reason, queued: states[method].queuedCount, lateness: .nanoseconds(lateness))
            scheduleEndCheck()
        }
    }

    private func scheduleEndCheck() {
        let before = shedCount
        eventLoop.scheduleTask(in: Self.calmInterval) {
            if self.shedCount > before { return self.scheduleEndCheck() }
            self.isShedding = false
            self.log.ended(shed: self.shedCount)
            self.shedCount = 0
        }
    }
}

/// A request that waits for its turn. Touched on its event loop only.
///
/// `@unchecked Sendable`: the queue of its loop holds it, and the handler that is called when its task is cancelled carries
/// it to that loop without reading it. All that changes is changed by ``LoopShedder`` on the loop (asserted where calls
/// come in: `enqueue`, `cancel`, `finished`); a continuation may be resumed anywhere.
final class QueuedRequest: WaitingCall, @unchecked Sendable {
    let bytes: Int
    fileprivate(set) var isGone = false
    fileprivate var continuation: UnsafeContinuation<LoopShedder.Turn, Never>?

    fileprivate init(bytes: Int) {
        self.bytes = bytes
    }

    fileprivate func resume(_ turn: LoopShedder.Turn) {
        let waiting = continuation
        continuation = nil
        waiting?.resume(returning: turn)
    }
}

/// Why a call was shed.
enum SheddingReason: String, Sendable, CaseIterable {
    /// It has waited for too long.
    case wait
    /// There was no room for it in the queue.
    case queue
}

/// What the metrics show of one method on one loop. Written on the loop, read anywhere.
final class MethodCounters: Sendable {
    let queued = Atomic(0)
    let isShedding = Atomic(false)
    private let waited = Atomic(0)
    private let noRoom = Atomic(0)

    func record(_ reason: SheddingReason) {
        switch reason {
        case .wait: waited.wrappingAdd(1, ordering: .relaxed)
        case .queue: noRoom.wrappingAdd(1, ordering: .relaxed)
        }
    }

    func count(_ reason: SheddingReason) -> Int {
        switch reason {
        case .wait: waited.load(ordering: .relaxed)
        case .queue: noRoom.load(ordering: .relaxed)
        }
    }
}
