import NIOCore

/// The queue of one method on one event loop: which call goes on to the service, which waits, which is shed. A state
/// machine without clock or I/O.
///
/// A fixed number of calls is with the service at a time, and further ones wait here. So it is known exactly how long calls
/// queue, and how fast or slow the service is does not matter. A call that has waited for a second is shed: then more
/// waited than were served within a second.
///
/// Overload is a queue that stands (CoDel's rule: the *smallest* wait of half a second is above a target) and that, at the
/// pace at which it grows and calls end, will soon hold more than is served within a second. Then the newest call is served
/// first, and what has waited for longer than the target is shed: it would be served late or never, and those served are
/// served soon. A burst, and a service that is slow or pauses for a moment, make calls wait and nothing more.
///
/// Source: K. Nichols, V. Jacobson, "Controlling Queue Delay", ACM Queue 10(5), 2012, and RFC 8289; newest first under
/// overload: B. Maurer, "Fail at Scale", ACM Queue 13(8), 2015.
struct ShedderState<Call: WaitingCall> {
    /// What a queue keeps to.
    struct Bounds: Sendable, Equatable {
        /// Calls that are with the service at a time.
        var inFlightMax = 64
        /// Calls that may wait: a bound on memory.
        var queuedMax = 4_096
        /// A call that has waited for so long is shed.
        var waitMax = TimeAmount.seconds(1)
        /// A call that has waited for so long is shed under overload.
        var target = TimeAmount.milliseconds(100)
        /// A queue that stands is judged so often, and twice in a row before calls are shed for it. The overload is over
        /// when nothing had to be shed for twice as long.
        var interval = TimeAmount.milliseconds(250)
        /// How far ahead the growth of a queue is looked at.
        var horizon = TimeAmount.seconds(3)
    }

    private struct Entry {
        let call: Call
        let since: NIODeadline
    }

    /// An interval in which the oldest call has always waited for at least the target.
    private struct Standing {
        let since: NIODeadline
        /// Calls that waited at its begin.
        let queued: Int
        /// Calls that ended since, and that were shed.
        var ended = 0
        var shed = 0
        /// Intervals before it, in a row, in which more came than were served.
        var overloaded = 0
    }

    let bounds: Bounds
    /// Calls that are with the service. Above the bound where calls did not have to wait (``startWaiting(now:)``).
    private(set) var inFlight = 0
    /// -> true in ``judge(_:)``, -> false in ``look(now:into:)`` when nothing was shed for an interval.
    private(set) var isShedding = false
    /// Oldest first. Calls whose callers left stay until their turn comes.
    private var queue = CircularBuffer<Entry>()
    private var standing: Standing?
    private var shedAt = NIODeadline.uptimeNanoseconds(0)

    init(_ bounds: Bounds = Bounds()) {
        self.bounds = bounds
    }

    /// Calls that wait.
    var queuedCount: Int { queue.count }
    /// Whether ``look(now:into:)`` has something to do as time passes.
    var needsLook: Bool { isShedding || !queue.isEmpty }

    /// Takes a place for a call, if one is free. Each one taken is followed by one ``finish(now:)``.
    mutating func start() -> Bool {
        guard inFlight < bounds.inFlightMax else { return false }
        inFlight += 1
        return true
    }

    /// Takes a place for a call whether one is free or not.
    mutating func startAnyway() {
        inFlight += 1
    }

    /// Lets a call wait for its turn.
    ///
    /// - Returns: false when there is no room for it.
    mutating func enqueue(_ call: Call, now: NIODeadline) -> Bool {
        guard queue.count < bounds.queuedMax else { return false }
        queue.append(Entry(call: call, since: now))
        return true
    }

    /// A call that had a place has ended, however it did.
    ///
    /// - Returns: the call that has its place now, and was waiting.
    mutating func finish(now: NIODeadline) -> Call? {
        inFlight -= 1
        guard !queue.isEmpty else { return nil }
        standing?.ended += 1
        guard inFlight < bounds.inFlightMax else { return nil }
        while let entry = isShedding ? queue.popLast() : queue.popFirst() {
            if entry.call.isGone { continue }
            if now - entry.since < bounds.target { standing = nil }
            inFlight += 1
            return entry.call
        }
        return nil
    }

    /// Gives a place to each call that waits: nothing is too busy for them.
    mutating func startWaiting(now: NIODeadline) -> [Call] {
        let calls = queue.map(\.call).filter { !$0.isGone }
        queue.removeAll(keepingCapacity: true)
        inFlight += calls.count
        standing = nil
        return calls
    }

    /// Looks at what waits. To be called every few hundredths of a second while ``needsLook``.
    ///
    /// - Parameter shed: gets the calls that are to be refused.
    mutating func look(now: NIODeadline, into shed: inout [Call]) {
        if !isShedding { judge(now) }
        let patience = isShedding ? bounds.target : bounds.waitMax
        let before = shed.count
        while let oldest = queue.first, oldest.call.isGone || now - oldest.since >= patience {
            queue.removeFirst()
            if !oldest.call.isGone { shed.append(oldest.call) }
        }
        guard isShedding else {
            standing?.shed += shed.count - before
            return
        }
        if shed.count > before {
            shedAt = now
        } else if now - shedAt >= bounds.interval * 2 {
            isShedding = false
        }
    }

    private mutating func judge(_ now: NIODeadline) {
        guard let oldest = queue.first, now - oldest.since >= bounds.target else {
            standing = nil
            return
        }
        guard let before = standing else {
            standing = Standing(since: now, queued: queue.count)
            return
        }
        guard now - before.since >= bounds.interval else { return }
        guard isOverloaded(before, now) else {
            standing = Standing(since: now, queued: queue.count)
            return
        }
        if before.overloaded == 0 {
            standing = Standing(since: now, queued: queue.count, overloaded: 1)
        } else {
            isShedding = true
            shedAt = now
            standing = nil
        }
    }

    /// Whether more calls wait, or soon will, than are served within ``Bounds/waitMax``.
    private func isOverloaded(_ standing: Standing, _ now: NIODeadline) -> Bool {
        // All places were taken meanwhile, so that what ended is what the service can do. Where nothing ended it may only
        // pause, and then nothing is known.
        guard standing.ended > 0 else { return false }
        if standing.shed > 0 { return true }
        let elapsed = Double((now - standing.since).nanoseconds)
        let growth = Double(queue.count - standing.queued) / elapsed
        // Calls may end in waves of as many as there are places.
        let pace = Double(standing.ended + bounds.inFlightMax) / elapsed
        return Double(queue.count) + growth * Double(bounds.horizon.nanoseconds)
            > pace * Double(bounds.waitMax.nanoseconds)
    }
}

/// A call as its queue sees it.
protocol WaitingCall {
    /// Whether nobody waits for it any more.
    var isGone: Bool { get }
}
