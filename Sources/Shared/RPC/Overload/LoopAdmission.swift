import NIOCore
import Synchronization

/// Lets calls in on one event loop, or refuses them before anything is done for them. No lock, no allocation.
///
/// `@unchecked Sendable`: tasks of its loop carry it. The counters are atomic; all else is touched on its loop only:
/// ``AdmissionControl/current`` finds it by the loop that the caller runs on, the tasks that say how a call ended have that
/// loop as their executor preference, and what it schedules itself runs there.
package final class LoopAdmission: @unchecked Sendable {
    package let eventLoop: any EventLoop
    private let log: OverloadLog
    private var turn = TurnBudget()
    private var limits: [ConcurrencyLimit]
    let counters: [MethodCounters]
    /// Whether calls were refused lately, and in this interval.
    private var isRefusing = false
    private var hasRefused = false

    /// How long no call must have been refused for the overload to be over.
    static let calmInterval = TimeAmount.seconds(2)

    init(_ eventLoop: any EventLoop, methodCount: Int, bounds: ConcurrencyLimit.Bounds, log: OverloadLog) {
        self.eventLoop = eventLoop
        self.log = log
        limits = Array(repeating: ConcurrencyLimit(bounds), count: methodCount)
        counters = (0..<methodCount).map { _ in MethodCounters(limit: bounds.max) }
    }

    /// Lets a call in, or says why not. Each one let in is followed by one ``ended(_:_:nanoseconds:now:)``.
    package func admit(_ method: Int, now: NIODeadline) -> RefusalReason? {
        mayStart(now) ? enter(method) : refuse(method, .loop)
    }

    /// The same where ``mayStart(_:)`` was asked before.
    package func enter(_ method: Int) -> RefusalReason? {
        limits[method].admit() ? nil : refuse(method, .concurrency)
    }

    /// Whether the loop has time for another call; for where the method is not known yet. Nothing has to be said after it.
    package func mayStart(_ now: NIODeadline) -> Bool {
        switch turn.admit(now) {
        case .admitted: return true
        case .admittedFirst:
            // Behind what this turn reads, and then behind what that has scheduled.
            eventLoop.execute { self.eventLoop.execute { self.turn.ended(.now()) } }
            return true
        case .refused: return false
        }
    }

    package func ended(_ method: Int, _ code: Status.Code, nanoseconds: Int64, now: NIODeadline) {
        let outcome: ConcurrencyLimit.Outcome =
            switch code {
            case .ok, .notFound, .alreadyExists: .answered
            case .deadlineExceeded, .cancelled: .late
            default: .other
            }
        // Its request left at the end of a turn, and what it waited for came in another: what this loop itself takes is
        // no queue behind it, and does not get less by fewer calls of one method.
        let behind = max(1, nanoseconds - 2 * turn.nanoseconds)
        if limits[method].ended(nanoseconds: nanoseconds, behind: behind, outcome, now: now) {
            counters[method].limit.store(limits[method].allowed, ordering: .relaxed)
        }
    }

    /// Counts a call that was refused.
    @discardableResult
    package func refuse(_ method: Int, _ reason: RefusalReason) -> RefusalReason {
        counters[method].note(reason)
        hasRefused = true
        if !isRefusing {
            isRefusing = true
            log.began(reason)
            watch()
        }
        return reason
    }

    private func watch() {
        hasRefused = false
        eventLoop.scheduleTask(in: Self.calmInterval) {
            if self.hasRefused {
                self.watch()
            } else {
                self.isRefusing = false
                self.log.ended()
            }
        }
    }
}

/// Why a call was refused before it was started.
package enum RefusalReason: Int, Sendable, CaseIterable {
    /// As many calls of the method are in flight as can be answered in time.
    case concurrency
    /// More calls come than the event loop can read.
    case loop

    package var name: String {
        switch self {
        case .concurrency: "concurrency"
        case .loop: "loop"
        }
    }
}

/// What the metrics show of one method on one loop. Written on the loop, read anywhere.
final class MethodCounters: Sendable {
    let limit: Atomic<Int>
    private let concurrency = Atomic(0)
    private let loop = Atomic(0)

    init(limit: Int) {
        self.limit = Atomic(limit)
    }

    func note(_ reason: RefusalReason) {
        switch reason {
        case .concurrency: concurrency.wrappingAdd(1, ordering: .relaxed)
        case .loop: loop.wrappingAdd(1, ordering: .relaxed)
        }
    }

    func count(_ reason: RefusalReason) -> Int {
        switch reason {
        case .concurrency: concurrency.load(ordering: .relaxed)
        case .loop: loop.load(ordering: .relaxed)
        }
    }
}
