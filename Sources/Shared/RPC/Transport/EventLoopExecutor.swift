import NIOConcurrencyHelpers
import NIOCore

/// Runs a task's jobs on one NIO event loop, so that a call stays on the thread that reads its connection.
///
/// A handler that waits for nothing costs no thread hop; one that waits for a pool thread comes back to this loop.
public final class EventLoopExecutor: TaskExecutor {
    private struct Jobs {
        /// In the order in which they came. While there are any, the loop has been asked to run them.
        var waiting: [UnownedJob] = []
        /// Empty, with the room of jobs that have run.
        var spare: [UnownedJob] = []
    }

    /// Jobs whose room is kept; more are a burst.
    private static let spareCountMax = 64

    public let eventLoop: any EventLoop
    private let jobs = NIOLockedValueBox(Jobs())

    public init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// Releases the room of jobs that have run, which an idle connection would keep.
    func releaseSpareMemory() {
        jobs.withLockedValue { jobs in
            jobs.spare = []
            if jobs.waiting.isEmpty { jobs.waiting = [] }
        }
    }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let isFirst = jobs.withLockedValue { jobs in
            jobs.waiting.append(job)
            return jobs.waiting.count == 1
        }
        // Once for all that come until the loop gets to it. A closure that holds this object alone takes no memory.
        if isFirst { eventLoop.execute { self.runWaiting() } }
    }

    /// Runs what waits by now; what comes meanwhile is a task of its own, behind those that the loop has by then. Jobs keep
    /// their order among each other, not with what else is given to the loop.
    private func runWaiting() {
        var taken = jobs.withLockedValue { jobs in
            let taken = jobs.waiting
            jobs.waiting = jobs.spare
            jobs.spare = []
            return taken
        }
        let executor = asUnownedTaskExecutor()
        for job in taken { job.runSynchronously(on: executor) }
        guard taken.capacity <= Self.spareCountMax else { return }
        taken.removeAll(keepingCapacity: true)
        jobs.withLockedValue { $0.spare = taken }
    }
}
