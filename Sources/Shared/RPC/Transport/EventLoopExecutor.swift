import NIOCore

/// Runs a task's jobs on one NIO event loop, so that a call stays on the thread that reads its connection.
///
/// A handler that waits for nothing costs no thread hop; one that waits for a pool thread comes back to this loop.
public final class EventLoopExecutor: TaskExecutor {
    public let eventLoop: any EventLoop

    public init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute {
            job.runSynchronously(on: self.asUnownedTaskExecutor())
        }
    }
}
