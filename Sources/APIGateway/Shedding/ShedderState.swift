import NIOCore

/// The queue of one method on one event loop: which call goes on to the service, which waits, which is shed. A state
/// machine without clock or I/O.
///
/// A fixed number of calls is with the service at a time, and further ones wait here. So it is known exactly how long calls
/// queue, and how fast or slow the service is does not matter. A call that has waited for a second is shed: then more
/// waited than were served within a second.
///
/// Overload is a long queue that stands: for 0.12 s each call waits for longer than a target (CoDel's rule: the
/// *smallest* wait counts), and the queue does not get shorter. Then the newest call is served first, and what has waited
/// for longer than the target is shed: it would be served late or never, and those served are served soon. A burst, and a
/// service that is slow or pauses for a moment, make calls wait and nothing more. What is long is counted in calls that are
/// with the service, so that few callers of a slow service, who wait for longer than the target too, are no overload.
///
/// Calls that would rather wait (``Bounds/patient(inFlightMax:waitMax:)``) are shed only when they have waited for all of
/// their time, and a queue of theirs that can be served in it is no overload however long it is.
///
/// Where processors are short (``isSaturated``), calls of all methods wait for the same thing, and the more of them are with
/// their services, the longer each one takes. Then fewer are, and a queue that stands is an overload however short it is.
///
/// Shed callers retry, so shedding can outlive its cause. Therefore it pauses now and then for a moment, a *probe*, and
/// ends if the queue does not grow long once those callers are back.
///
/// Source: K. Nichols, V. Jacobson, "Controlling Queue Delay", ACM Queue 10(5), 2012, and RFC 8289; newest first under
/// overload: B. Maurer, "Fail at Scale", ACM Queue 13(8), 2015.
struct ShedderState<Call: WaitingCall> {
    /// What a queue keeps to.
    struct Bounds: Sendable, Equatable {
        /// Calls that are with the service at a time.
        var inFlightMax = 64
        /// As many while processors are short; `nil` where that makes no difference to this queue, nor its length to others.
        var inFlightSaturated: Int? = 16
        /// Calls that may wait: a bound on memory.
        var queuedMax = 4_096
        /// A call that has waited for so long is shed.
        var waitMax = TimeAmount.seconds(1)
        /// The same while processors are short: all services are slow then, and a wait is not all of a call's time.
        var waitMaxSaturated = TimeAmount.milliseconds(110)
        /// The same under overload.
        var waitMaxOverloaded = TimeAmount.milliseconds(100)
        /// In a queue that stands each call has waited for so long.
        var target = TimeAmount.milliseconds(60)
        /// A queue that stands is judged so often, and twice in a row before calls are shed for it. Until then all calls wait
        /// ever longer, and callers open ever more connections.
        var interval = TimeAmount.milliseconds(60)
        /// The overload is over when nothing had to be shed for so long.
        var calmInterval = TimeAmount.milliseconds(300)
        /// Calls that may wait without being an overload, for each one that may be with the service. By so many a call of a
        /// store that takes 300 ms waits for a second and a bit. `nil` where as many may wait as are served within
        /// ``waitMax``: ``patient(inFlightMax:waitMax:)``.
        var queuedPerInFlight: Double? = 3.5
        /// Time from the start of shedding to the first probe. It doubles with each probe that finds the overload still there.
        var probeAfter = TimeAmount.seconds(2)
        var probeAfterMax = TimeAmount.seconds(64)
        /// In a probe the queue is watched for so long: shed callers have to be back by its end.
        var probeTime = TimeAmount.milliseconds(150)

        /// Bounds for calls that would rather wait for `waitMax` than be shed: none is shed before, under overload neither.
        ///
        /// Overload is that calls have to be shed for it time and again, and it ends when all that wait can be served in that
        /// time. Then as ever the newest call is served first, so that what is served has some of its time left.
        static func patient(inFlightMax: Int, waitMax: TimeAmount) -> Bounds {
            var bounds = Bounds()
            bounds.waitMax = waitMax
            bounds.waitMaxOverloaded = waitMax
            bounds.target = .nanoseconds(waitMax.nanoseconds / 10)
            bounds.interval = .nanoseconds(waitMax.nanoseconds / 20 * 3)
            bounds.calmInterval = bounds.interval * 2
            bounds.probeTime = bounds.interval
            // In a probe they wait no longer than otherwise, so that it costs nothing.
            bounds.probeAfterMax = bounds.probeAfter
            bounds.inFlightMax = inFlightMax
            bounds.inFlightSaturated = nil
            bounds.queuedPerInFlight = nil
            return bounds
        }
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
        /// Intervals before it, in a row, that were an overload.
        var overloaded = 0
    }

    let bounds: Bounds
    /// Calls that are with the service. Above the bound where calls did not have to wait (``startWaiting(now:)``).
    private(set) var inFlight = 0
    /// -> true in ``beginShedding(_:)``, -> false in ``endShedding(_:)``.
    private(set) var isShedding = false
    /// Whether processors are short, so that a queue need not be long to be an overload.
    private(set) var isSaturated = false
    /// Whether the queue that calls are shed for was a long one. If not, shedding ends with the shortage of processors.
    private var isLong = false
    /// Shedding pauses since `probeAt`; from ``Bounds/target`` after it `standing` is the interval in which the queue is watched.
    private var isProbing = false
    /// Oldest first. Calls whose callers left stay until their turn comes.
    private var queue = CircularBuffer<Entry>()
    private var standing: Standing?
    /// When a call was shed last.
    private var shedAt = NIODeadline.uptimeNanoseconds(0)
    private var endedAt: NIODeadline?
    /// When the next probe begins, or this one began.
    private var probeAt = NIODeadline.uptimeNanoseconds(0)
    private var probeAfter: TimeAmount

    init(_ bounds: Bounds = Bounds()) {
        self.bounds = bounds
        probeAfter = bounds.probeAfter
    }

    /// Calls that wait.
    var queuedCount: Int { queue.count }
    /// Whether ``check(now:into:)`` has something to do as time passes.
    var needsCheck: Bool { isShedding || !queue.isEmpty }

    /// Whether a long queue stands, or is kept short by shedding, of calls that want the processors that all want.
    var hasLongQueue: Bool {
        guard bounds.inFlightSaturated != nil else { return false }
        return isShedding ? isLong : standing != nil && isQueueLong(queue.count)
    }

    /// Takes a place for a call, if one is free. Each one taken is followed by one ``finish(now:)``.
    mutating func start() -> Bool {
        guard inFlight < inFlightLimit else { return false }
        inFlight += 1
        return true
    }

    /// Takes a place for a call whether one is free or not.
    mutating func startUnchecked() {
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
        guard inFlight < inFlightLimit else { return nil }
        return startNext(now)
    }

    /// Says whether processors are short.
    ///
    /// - Returns: the calls that have a place now, and were waiting.
    mutating func setSaturated(_ isSaturated: Bool, now: NIODeadline) -> [Call] {
        self.isSaturated = isSaturated && bounds.inFlightSaturated != nil
        var calls: [Call] = []
        while inFlight < inFlightLimit, let call = startNext(now) { calls.append(call) }
        return calls
    }

    private var inFlightLimit: Int {
        isSaturated && !isProbing ? bounds.inFlightSaturated ?? bounds.inFlightMax : bounds.inFlightMax
    }

    private mutating func startNext(_ now: NIODeadline) -> Call? {
        while let entry = isShedding ? queue.popLast() : queue.popFirst() {
            if entry.call.isGone { continue }
            // Of the newest first, none has waited.
            if !isShedding, now - entry.since < bounds.target { standing = nil }
            inFlight += 1
            return entry.call
        }
        return nil
    }

    /// Starts every call that waits, whether a place is free or not.
    mutating func startWaiting(now: NIODeadline) -> [Call] {
        let calls = queue.map(\.call).filter { !$0.isGone }
        queue.removeAll(keepingCapacity: true)
        inFlight += calls.count
        standing = nil
        return calls
    }

    /// Checks what waits. To be called every few hundredths of a second while ``needsCheck``.
    ///
    /// - Parameter shed: gets the calls that are to be shed.
    mutating func check(now: NIODeadline, into shed: inout [Call]) {
        if isShedding, !isLong {
            if isQueueLong(queue.count) {
                isLong = true
                probeAt = now + probeAfter
            } else if !isSaturated {
                endShedding(now)
            }
        }
        if !isShedding {
            evaluateQueue(now)
        } else if isProbing {
            evaluateProbe(now)
        } else if isLong, now >= probeAt {
            isProbing = true
            probeAt = now
            standing = nil
        }
        let isEarly = isShedding && !isProbing
        let limit = isEarly ? bounds.waitMaxOverloaded : isSaturated ? bounds.waitMaxSaturated : bounds.waitMax
        let before = shed.count
        while let oldest = queue.first, oldest.call.isGone || now - oldest.since >= limit {
            queue.removeFirst()
            if !oldest.call.isGone { shed.append(oldest.call) }
        }
        guard isEarly else {
            standing?.shed += shed.count - before
            return
        }
        if shed.count > before {
            shedAt = now
        } else if now - shedAt >= bounds.calmInterval {
            endShedding(now)
        }
    }

    private mutating func evaluateQueue(_ now: NIODeadline) {
        guard let oldest = queue.first, now - oldest.since >= bounds.target else {
            standing = nil
            return
        }
        guard let before = standing else {
            standing = Standing(since: now, queued: queue.count)
            return
        }
        // Where nothing ended the service may only pause, and nothing is known yet.
        guard now - before.since >= bounds.interval, before.ended > 0 else { return }
        guard isOverloaded(before, now, horizon: 0) else {
            standing = Standing(since: now, queued: queue.count)
            return
        }
        if before.overloaded == 0 {
            standing = Standing(since: now, queued: queue.count, overloaded: 1)
        } else {
            beginShedding(now)
        }
    }

    private mutating func evaluateProbe(_ now: NIODeadline) {
        guard let probe = standing else {
            if now - probeAt >= bounds.target { standing = Standing(since: now, queued: queue.count) }
            return
        }
        guard now - probe.since >= bounds.probeTime, probe.ended > 0 || queue.isEmpty else { return }
        // Shed callers are back by now: a queue that still grows goes on growing.
        guard let oldest = queue.first, now - oldest.since >= bounds.target, isOverloaded(probe, now, horizon: 4) else {
            return endShedding(now)
        }
        isProbing = false
        standing = nil
        shedAt = now
        probeLater(now)
    }

    private mutating func beginShedding(_ now: NIODeadline) {
        isShedding = true
        isLong = bounds.queuedPerInFlight == nil || isQueueLong(queue.count)
        shedAt = now
        standing = nil
        // An overload that is back so soon had not ended: the probe was wrong, and the next one has to wait for longer.
        if let endedAt, now - endedAt < bounds.probeAfter * 5 { return probeLater(now) }
        probeAfter = bounds.probeAfter
        probeAt = now + probeAfter
    }

    private mutating func probeLater(_ now: NIODeadline) {
        probeAfter = min(probeAfter * 2, bounds.probeAfterMax)
        probeAt = now + probeAfter
    }

    private mutating func endShedding(_ now: NIODeadline) {
        isShedding = false
        isProbing = false
        standing = nil
        endedAt = now
    }

    /// Whether the queue is long, and does not get shorter. All places are taken while calls wait, so that what ends is what
    /// the service can do.
    ///
    /// - Parameter horizon: how far ahead its growth is extrapolated, in the interval's lengths; 0 for not at all.
    private func isOverloaded(_ standing: Standing, _ now: NIODeadline, horizon: Int) -> Bool {
        guard bounds.queuedPerInFlight != nil else {
            // A probe begins with calls that have waited for long, of which some may have to be shed.
            let expected = queue.count + (queue.count - standing.queued) * horizon
            return horizon == 0 ? standing.shed > 0 : takesTooLong(expected, standing, now)
        }
        // While processors are short, a probe sheds by the shorter limit, which says nothing about the overload.
        if standing.shed > 0, !(isProbing && isSaturated) { return true }
        let growth = queue.count - standing.queued
        let expected = queue.count + growth * horizon
        // A probe finds out whether the queue gets long by itself.
        guard isQueueLong(expected) || (isSaturated && !isProbing && expected > 0) else { return false }
        // After a pause a queue may be long, and get shorter by what is to spare. A little less is noise.
        return horizon > 0 || growth >= -standing.ended / 12
    }

    private func isQueueLong(_ count: Int) -> Bool {
        bounds.queuedPerInFlight.map { Double(count) > $0 * Double(bounds.inFlightMax) } ?? false
    }

    /// Whether so many calls are more than can be served within ``Bounds/waitMax``, by what ended in the interval.
    private func takesTooLong(_ count: Int, _ standing: Standing, _ now: NIODeadline) -> Bool {
        let wait = Double(count) * Double((now - standing.since).nanoseconds)
        return wait > Double(standing.ended) * Double(bounds.waitMax.nanoseconds)
    }
}

/// A call as its queue sees it.
protocol WaitingCall {
    /// Whether its caller has left.
    var isGone: Bool { get }
}
