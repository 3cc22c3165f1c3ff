import NIOCore

/// One event-loop timer for many deadlines: armed for the earliest, it asks its owner to end what is due and to say
/// which is next. A timer per call would cost two heap operations and an allocation each.
///
/// Touched only on its event loop.
final class DeadlineTimer {
    private let eventLoop: any EventLoop
    private var armed: (instant: NIODeadline, timer: Scheduled<Void>)?
    /// Ends what is due; answers the next instant, if there is one. Owns whoever it calls until ``cancel()``: a weak
    /// reference would slow down every other reference to the owner.
    var onFire: (@Sendable () -> NIODeadline?)?

    init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// Makes sure that `onFire` runs soon after `instant`.
    func arm(_ instant: NIODeadline) {
        guard instant != .distantFuture else { return }
        if let armed {
            guard instant < armed.instant else { return }
            armed.timer.cancel()
        }
        // The timer is touched on this loop only, which is where NIO runs it.
        let timer = NIOLoopBound(self, eventLoop: eventLoop)
        armed = (
            instant,
            eventLoop.scheduleTask(deadline: instant) {
                timer.value.armed = nil
                if let next = timer.value.onFire?() { timer.value.arm(next) }
            }
        )
    }

    func cancel() {
        armed?.timer.cancel()
        armed = nil
        onFire = nil
    }
}
