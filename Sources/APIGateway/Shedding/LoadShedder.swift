import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// Sheds calls that would not be answered in time: an explicit queue for each method on each event
/// loop, before anything is done for a call. ``ShedderState`` decides.
///
/// Methods have queues of their own, so that calls that wait for something slow take nothing from the others.
final class LoadShedder: Sendable {
    /// A method whose calls queue.
    struct Method: Sendable {
        /// The full name, for logs and metrics.
        var name: String
        var bounds = ShedderState<QueuedRequest>.Bounds()
        /// Whether its service can be reached from a loop at this moment. Calls that wait for a connection wait for that,
        /// in the client and within its bounds: it is no overload, and where one comes up they are served at once.
        var isReachable: @Sendable (any EventLoop) -> Bool = { _ in true }
    }

    let methods: [Method]
    let loops: [LoopShedder]

    init(methods: [Method], group: MultiThreadedEventLoopGroup, logger: Logger) {
        self.methods = methods
        let log = SheddingLog(logger)
        loops = group.makeIterator().map { LoopShedder($0, methods: methods, log: log) }
    }

    /// That of the loop that we are on; `nil` on a thread that is none of the group's.
    var current: LoopShedder? {
        guard let current = MultiThreadedEventLoopGroup.currentEventLoop else { return nil }
        for loop in loops where loop.eventLoop === current { return loop }
        return nil
    }

    // MARK: For metrics

    /// Calls of a method that wait now.
    func queued(_ method: Int) -> Int {
        loops.reduce(0) { $0 + $1.counters[method].queued.load(ordering: .relaxed) }
    }

    /// Loops on which a method is overloaded now.
    func sheddingLoops(_ method: Int) -> Int {
        loops.count { $0.counters[method].isShedding.load(ordering: .relaxed) }
    }

    /// Calls of a method that were shed so far.
    func shedCount(_ method: Int, _ reason: SheddingReason) -> Int {
        loops.reduce(0) { $0 + $1.counters[method].count(reason) }
    }
}

/// Logs when shedding begins and when it ends, once for all event loops.
final class SheddingLog: Sendable {
    private struct State {
        var loopsShedding = 0
        var shed = 0
    }

    private let logger: Logger
    private let state = NIOLockedValueBox(State())

    init(_ logger: Logger) {
        self.logger = logger
    }

    /// A loop begins to shed calls.
    ///
    /// - Parameter lateness: of the loop; much of it tells that processors are short, little that the service is slow.
    func began(_ method: String, _ reason: SheddingReason, queued: Int, lateness: TimeAmount) {
        let isFirst = state.withLockedValue { state in
            state.loopsShedding += 1
            return state.loopsShedding == 1
        }
        guard isFirst else { return }
        logger.warning(
            "load shedding began",
            metadata: [
                "method": "\(method)", "reason": "\(reason)", "queued": "\(queued)",
                "loop_late_ms": "\(lateness.nanoseconds / 1_000_000)",
            ])
    }

    /// A loop has shed no call for a while.
    func ended(shed: Int) {
        let total: Int? = state.withLockedValue { state in
            state.loopsShedding -= 1
            state.shed += shed
            guard state.loopsShedding == 0 else { return nil }
            defer { state.shed = 0 }
            return state.shed
        }
        if let total { logger.notice("load shedding ended", metadata: ["shed": "\(total)"]) }
    }
}
