import NIOCore
import NIOPosix

/// Delays the answers to rejected requests for a moment.
///
/// A rejected caller should retry after `Retry-After`. Callers that retry at once instead take processor time from the calls
/// that can be answered, and the more of it the sooner they are rejected.
final class RejectionDelays: Sendable {
    private let loops: [RejectionDelay]

    init(group: MultiThreadedEventLoopGroup) {
        loops = group.makeIterator().map(RejectionDelay.init)
    }

    /// Returns after the delay, or at once where as many wait already as may. Called on a loop of the group.
    func wait() async {
        guard let current = MultiThreadedEventLoopGroup.currentEventLoop else { return }
        for loop in loops where loop.eventLoop === current { return await loop.wait() }
    }
}

/// The answers that wait on one event loop.
///
/// `@unchecked Sendable`: what changes is set by `init`, before the object is shared, and then touched on `eventLoop` only.
/// ``RejectionDelays/wait()`` finds the object by the loop that it runs on; a request's task has that loop as its executor
/// preference, so that `wait()` and what follows it run there too; and a loop's timers fire on it. `wait()` and
/// `nextStep()` assert it. A continuation may be resumed anywhere.
final class RejectionDelay: @unchecked Sendable {
    /// Answers go out in step, so that one timer serves them all.
    static let step = TimeAmount.milliseconds(10)
    /// An answer waits for four to five steps.
    static let steps = 5
    /// Answers that may wait on a loop; further ones go out at once.
    static let waitingMax = 2_048

    let eventLoop: any EventLoop
    /// By the step in which they go out, counted round.
    private var waiting: [[UnsafeContinuation<Void, Never>]]
    private var now = 0
    /// Answers that wait.
    private(set) var count = 0

    init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        waiting = Array(repeating: [], count: Self.steps)
    }

    func wait() async {
        eventLoop.assertInEventLoop()
        guard count < Self.waitingMax else { return }
        // Unsafe continuation: each is resumed exactly once, by the step that takes it out of the list.
        await withUnsafeContinuation { continuation in
            count += 1
            waiting[(now + Self.steps - 1) % Self.steps].append(continuation)
            if count == 1 { schedule() }
        }
    }

    private func schedule() {
        eventLoop.scheduleTask(in: Self.step) { self.nextStep() }
    }

    private func nextStep() {
        eventLoop.assertInEventLoop()
        let due = waiting[now]
        waiting[now].removeAll(keepingCapacity: true)
        now = (now + 1) % Self.steps
        count -= due.count
        if count > 0 { schedule() }
        for continuation in due { continuation.resume() }
    }
}
