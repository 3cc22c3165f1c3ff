import NIOCore

/// How long one turn of an event loop may be busy before the calls that are left in it are refused. A state machine
/// without clock or I/O.
///
/// Calls that come faster than a loop reads them wait in sockets, where no counter sees them: all that shows is that
/// turns get long, as each finds more to read. Only turns that have been too long for a while count, so that neither a
/// burst nor a processor lent to somebody else makes a call be refused.
package struct TurnBudget: Sendable {
    package enum Decision: Sendable {
        case admitted
        /// The first call of a turn that is to be measured: say ``ended(_:)`` when the turn is over.
        case admittedFirst
        case refused
    }

    /// A turn that takes longer is too long.
    static let budget = TimeAmount.milliseconds(5)
    /// Turns have to be too long for so long.
    static let patience = TimeAmount.milliseconds(100)
    /// After an overload, the next one is believed sooner, for so long.
    static let memory = TimeAmount.seconds(1)
    static let patienceAgain = TimeAmount.milliseconds(20)
    /// While all is well, a turn is measured now and then.
    static let sampleInterval = TimeAmount.milliseconds(5)
    /// Calls of a turn that are never refused.
    static let callsMin = 16

    private var isMeasuring = false
    private var startedAt = NIODeadline.uptimeNanoseconds(0)
    private var calls = 0
    private var longSince: NIODeadline?
    /// When the turn that was measured last was over.
    private var endedAt = NIODeadline.uptimeNanoseconds(0)
    private var overUntil = NIODeadline.uptimeNanoseconds(0)
    /// What turns have lately taken.
    package private(set) var nanoseconds: Int64 = 0

    package init() {}

    /// Lets a call in, or not.
    package mutating func admit(_ now: NIODeadline) -> Decision {
        guard isMeasuring else {
            // Nothing is known of the turns since then: the loop may have been idle.
            if longSince != nil, now - endedAt > Self.patienceAgain { longSince = nil }
            guard longSince != nil || now - startedAt >= Self.sampleInterval else { return .admitted }
            isMeasuring = true
            startedAt = now
            calls = 1
            return .admittedFirst
        }
        if calls >= Self.callsMin, now - startedAt > Self.budget, isOver(now) {
            overUntil = now + Self.memory
            return .refused
        }
        calls += 1
        return .admitted
    }

    package mutating func ended(_ now: NIODeadline) {
        isMeasuring = false
        endedAt = now
        nanoseconds += ((now - startedAt).nanoseconds - nanoseconds) / 4
        if now - startedAt <= Self.budget {
            longSince = nil
        } else if longSince == nil {
            longSince = startedAt
        }
    }

    private func isOver(_ now: NIODeadline) -> Bool {
        guard let longSince else { return false }
        return now - longSince >= (now < overUntil ? Self.patienceAgain : Self.patience)
    }
}
