import NIOCore
import NIOPosix
import Synchronization

/// How late event loops run: each is asked a few times a second for a task at a set time, and the task says how much
/// later it came to run. Whatever keeps a loop busy delays all its connections by as much.
///
/// Usable from any thread. The ticks end with ``stop()``, with the object, or with the group.
public final class LoopLag: Sendable {
    /// One loop's figures. Written on the loop, read anywhere.
    private final class Watched: Sendable {
        let eventLoop: any EventLoop
        /// When the next tick is to run, in nanoseconds of the monotonic clock; 0 before the first.
        let due = Atomic<UInt64>(0)
        /// How late the last tick was, in nanoseconds.
        let last = Atomic<Int64>(0)

        init(_ eventLoop: any EventLoop) {
            self.eventLoop = eventLoop
        }

        /// A loop that is stuck now has not ticked: then its overdue tick says how long.
        func nanoseconds(_ now: NIODeadline) -> Int64 {
            let due = due.load(ordering: .relaxed)
            let overdue = due == 0 || now.uptimeNanoseconds < due ? 0 : Int64(now.uptimeNanoseconds - due)
            return max(last.load(ordering: .relaxed), overdue)
        }
    }

    /// Between two ticks of a loop. At rest this is all that a program does.
    public static let intervalStandard: Duration = .milliseconds(250)

    private let loops: [Watched]
    private let interval: TimeAmount
    private let record: @Sendable (_ nanoseconds: Int64) -> Void
    private let isStopped = Atomic(false)

    /// - Parameter record: is told of each tick's lag, in nanoseconds, on the loop.
    public init(
        group: MultiThreadedEventLoopGroup, interval: Duration = intervalStandard,
        record: @escaping @Sendable (_ nanoseconds: Int64) -> Void = { _ in }
    ) {
        loops = group.makeIterator().map(Watched.init)
        self.interval = TimeAmount(interval)
        self.record = record
    }

    /// Begins to tick. Call it once.
    public func start() {
        for loop in loops { schedule(loop, at: .now() + interval) }
    }

    /// No tick follows.
    public func stop() {
        isStopped.store(true, ordering: .relaxed)
    }

    /// How late each loop runs now, in nanoseconds, in the group's order.
    public var nanoseconds: [Int64] {
        let now = NIODeadline.now()
        return loops.map { $0.nanoseconds(now) }
    }

    private func schedule(_ loop: Watched, at due: NIODeadline) {
        guard !isStopped.load(ordering: .relaxed) else { return }
        loop.due.store(due.uptimeNanoseconds, ordering: .relaxed)
        loop.eventLoop.scheduleTask(deadline: due) { [weak self] in
            let now = NIODeadline.now()
            let lag = max(0, (now - due).nanoseconds)
            loop.last.store(lag, ordering: .relaxed)
            guard let self else { return }
            record(lag)
            schedule(loop, at: now + interval)
        }
    }
}
