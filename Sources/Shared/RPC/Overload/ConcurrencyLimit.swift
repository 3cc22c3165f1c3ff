import NIOCore

/// How many calls of one method may be in flight on one event loop, found out from the calls themselves. A state machine
/// without clock or I/O.
///
/// It knows how long a call takes without load, and looks at how many of a window's calls took much longer. Where more
/// than a few did, calls queue somewhere behind, wherever that is, and fewer are let in; a few slow ones may have more to
/// do than others and say nothing. Calls that found hardly any company tell how long one takes without load.
package struct ConcurrencyLimit: Sendable {
    /// What a limit keeps to.
    package struct Bounds: Sendable {
        /// So many calls are always let in, and are taken to be no load.
        package var floor = 8
        /// Where it begins, so that none is refused before calls were seen to queue.
        package var max = 1_024
        /// A window has so many calls and takes so long, or takes `windowMax`.
        package var windowCalls = 16
        package var window: Duration = .milliseconds(100)
        package var windowMax: Duration = .seconds(1)
        /// A call is slow that takes so many times what it takes without load, and `slack` more.
        package var tolerance: Int64 = 3
        /// Schedulers on busy machines make a call late by as much without any queue.
        package var slack: Duration = .milliseconds(1)
        /// One call in so many may be slow.
        package var slowOneIn = 10
        /// So many windows in a row must be slow: a processor lent to somebody else for a moment is no overload.
        package var slowWindowsFirst = 4
        /// The same while a limit is in force.
        package var slowWindows = 2

        package init() {}
    }

    /// What the end of a call says about load.
    package enum Outcome: Sendable {
        /// It was done.
        case answered
        /// It was given up, at its deadline or by its caller: it would have taken at least so long.
        case late
        /// It was refused or failed, which may be quick under any load.
        case other
    }

    /// What a service that became slower for good is learned by, window for window, where more is asked than the floor.
    private static let patience: Int64 = 16_384

    private let bounds: Bounds
    private let window: Int64
    private let windowMax: Int64
    private let slack: Int64

    /// Calls that may be in flight.
    package private(set) var allowed: Int
    package private(set) var inFlight = 0
    /// Nanoseconds that a call takes without load; 0 until known.
    package private(set) var baseline: Int64 = 0
    /// Nanoseconds from which on a call is slow.
    private var threshold = Int64.max
    private var windowStart = NIODeadline.uptimeNanoseconds(0)
    private var count = 0
    private var slow = 0
    private var total: Int64 = 0
    private var quickest = Int64.max
    private var peak = 0
    /// Whether a call was refused in this window.
    private var isPressed = false
    /// Slow windows in a row, up to now.
    private var slowWindows = 0

    package init(_ bounds: Bounds = Bounds()) {
        self.bounds = bounds
        window = TimeAmount(bounds.window).nanoseconds
        windowMax = TimeAmount(bounds.windowMax).nanoseconds
        slack = TimeAmount(bounds.slack).nanoseconds
        allowed = bounds.max
    }

    /// Lets a call in, or not. Each one let in is followed by one ``ended(nanoseconds:_:now:)``.
    package mutating func admit() -> Bool {
        guard inFlight < allowed else {
            isPressed = true
            return false
        }
        inFlight += 1
        if inFlight > peak { peak = inFlight }
        return true
    }

    /// - Parameters:
    ///   - nanoseconds: what it took.
    ///   - behind: what it took of that beyond this process; all, if not given. It is judged by this, but what a call takes
    ///     without load is learned from the whole, as the rest is an estimate that may be too high.
    /// - Returns: whether ``allowed`` changed.
    package mutating func ended(
        nanoseconds: Int64, behind: Int64? = nil, _ outcome: Outcome, now: NIODeadline
    ) -> Bool {
        inFlight -= 1
        let behind = behind ?? nanoseconds
        switch outcome {
        case .answered: break
        // A caller's own short patience says nothing.
        case .late where behind > threshold: break
        case .late, .other: return false
        }
        count += 1
        if behind > threshold { slow += 1 }
        // One that takes for ever must not stand for all.
        total &+= Swift.min(nanoseconds, threshold)
        if nanoseconds < quickest { quickest = nanoseconds }
        let elapsed = (now - windowStart).nanoseconds
        guard elapsed >= window, count >= bounds.windowCalls || elapsed >= windowMax else { return false }
        return endWindow(now)
    }

    private mutating func endWindow(_ now: NIODeadline) -> Bool {
        let before = allowed
        if slow * bounds.slowOneIn > count {
            slowWindows += 1
            let patience = allowed == bounds.max ? bounds.slowWindowsFirst : bounds.slowWindows
            if slowWindows >= patience, peak > bounds.floor {
                let seen = Swift.min(allowed, peak)
                allowed = Swift.max(bounds.floor, slow * 2 > count ? seen / 2 : seen - seen / 5 - 1)
            }
        } else {
            slowWindows = 0
            // Carefully where it is nearly enough, else quickly, as what is refused is lost.
            let step = slow * bounds.slowOneIn * 2 > count ? allowed / 16 : allowed / 4
            let isUsed = peak >= allowed - allowed / 4
            let isOver = peak <= bounds.floor && !isPressed
            if isUsed || isOver { allowed = Swift.min(bounds.max, allowed + Swift.max(1, step)) }
        }
        learn()
        windowStart = now
        count = 0
        slow = 0
        total = 0
        quickest = .max
        peak = inFlight
        isPressed = false
        return allowed != before
    }

    /// Quickly down, slowly up, and up only without load: a long overload must not pass for what is normal.
    private mutating func learn() {
        let typical = total / Int64(count)
        if baseline == 0 {
            // The first calls may be a storm's; then only the quickest of them knew no queue.
            baseline = Swift.max(1, Swift.min(typical, quickest &* 4))
        } else if typical < baseline {
            baseline -= (baseline - typical) / 4
        } else if peak <= bounds.floor {
            baseline += (typical - baseline) / (isPressed ? Self.patience : 16)
        }
        threshold = baseline &* bounds.tolerance &+ slack
    }
}
