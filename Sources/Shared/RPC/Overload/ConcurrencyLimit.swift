import NIOCore

/// How many calls of one method may be in flight on one event loop, found out from the calls themselves. A state machine
/// without clock or I/O.
///
/// It looks at the quickest call of each window: when even that one takes much longer than it does without load, calls
/// queue somewhere behind, wherever that is, and fewer are let in. The quickest, as slow calls alone say nothing: they
/// may have more to do. Calls that found hardly any company tell how long one takes without load.
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
        /// The quickest call may take so many times what it takes without load, and `slack` more.
        package var tolerance: Int64 = 3
        /// Schedulers on busy machines make a call late by as much without any queue.
        package var slack: Duration = .milliseconds(3)

        package init() {}
    }

    /// What the end of a call says about load.
    package enum Outcome: Sendable {
        /// It was done.
        case answered
        /// It was given up at its deadline: it would have taken at least so long.
        case late
        /// It was refused or failed, which may be quick under any load.
        case other
    }

    private let floor: Int
    private let max: Int
    private let windowCalls: Int
    private let window: Int64
    private let windowMax: Int64
    private let tolerance: Int64
    private let slack: Int64

    /// Calls that may be in flight.
    package private(set) var allowed: Int
    package private(set) var inFlight = 0
    /// Nanoseconds that a call takes without load; 0 until known.
    package private(set) var baseline: Int64 = 0
    /// Nanoseconds that one takes with no more than `floor` in flight, where more would come; 0 when that is not so.
    private var atFloor: Int64 = 0
    private var windowStart = NIODeadline.uptimeNanoseconds(0)
    private var count = 0
    private var quickest = Int64.max
    private var peak = 0
    /// Whether a call was refused in this window.
    private var isPressed = false

    package init(_ bounds: Bounds = Bounds()) {
        floor = bounds.floor
        max = bounds.max
        windowCalls = bounds.windowCalls
        window = TimeAmount(bounds.window).nanoseconds
        windowMax = TimeAmount(bounds.windowMax).nanoseconds
        tolerance = bounds.tolerance
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

    /// - Returns: whether ``allowed`` changed.
    package mutating func ended(nanoseconds: Int64, _ outcome: Outcome, now: NIODeadline) -> Bool {
        inFlight -= 1
        switch outcome {
        case .answered: break
        // A caller's own short deadline says nothing.
        case .late where nanoseconds > threshold: break
        case .late, .other: return false
        }
        count += 1
        if nanoseconds < quickest { quickest = nanoseconds }
        let elapsed = (now - windowStart).nanoseconds
        guard elapsed >= window, count >= windowCalls || elapsed >= windowMax else { return false }
        return endWindow(now)
    }

    /// With only `floor` in flight it is not our calls that queue, or the service has become slower for good: there is
    /// nothing to be won by less.
    private var threshold: Int64 { Swift.max(baseline &* tolerance, atFloor + atFloor / 4) &+ slack }

    private mutating func endWindow(_ now: NIODeadline) -> Bool {
        let before = allowed
        learn()
        if quickest > threshold {
            if peak > floor { allowed = Swift.max(floor, reduced(Swift.min(allowed, peak))) }
        } else if peak >= allowed - allowed / 4 {
            allowed = Swift.min(max, allowed + Swift.max(1, allowed / 8))
        }
        windowStart = now
        count = 0
        quickest = .max
        peak = inFlight
        isPressed = false
        return allowed != before
    }

    /// By as much as the quickest call was too slow, at most to half and at least by a tenth.
    private func reduced(_ calls: Int) -> Int {
        let share = Double(threshold) / Double(quickest)
        return Int(Double(calls) * Swift.min(0.9, Swift.max(0.5, share)))
    }

    /// Quickly down, slowly up, and up only without load: a long overload must not pass for what is normal.
    private mutating func learn() {
        let isQuiet = peak <= floor && !isPressed
        if baseline == 0 {
            baseline = quickest
        } else if quickest < baseline {
            baseline -= (baseline - quickest + 1) / 2
        } else if isQuiet {
            baseline += (quickest - baseline + 15) / 16
        }
        if isQuiet {
            atFloor = 0
        } else if isPressed, peak <= floor {
            atFloor = atFloor == 0 ? quickest : atFloor + (quickest - atFloor) / 4
        }
    }
}
