import Logging
import NIOCore
import NIOPosix

/// Keeps a process from taking more calls than it can answer in time: a ``LoopAdmission`` for each event loop.
///
/// Methods are told apart, so that calls that wait for something slow take nothing from the others.
package final class AdmissionControl: Sendable {
    /// So many calls of a method are let in at any time, over all loops.
    private static let callsMin = 4
    private static let callsPerLoopMin = 2

    /// The methods' names, for metrics; a method is known by its index here.
    package let methods: [String]
    package let loops: [LoopAdmission]

    package init(methods: [String], group: MultiThreadedEventLoopGroup, logger: Logger) {
        self.methods = methods
        let eventLoops = Array(group.makeIterator())
        var bounds = ConcurrencyLimit.Bounds()
        bounds.floor = max(Self.callsPerLoopMin, Self.callsMin / max(1, eventLoops.count))
        let log = OverloadLog(logger)
        loops = eventLoops.map { LoopAdmission($0, methodCount: methods.count, bounds: bounds, log: log) }
    }

    /// That of a loop; `nil` for a loop of another group.
    package func on(_ eventLoop: any EventLoop) -> LoopAdmission? {
        for loop in loops where loop.eventLoop === eventLoop { return loop }
        return nil
    }

    /// That of the loop that we are on.
    package var current: LoopAdmission? {
        MultiThreadedEventLoopGroup.currentEventLoop.flatMap(on)
    }

    // MARK: For metrics

    /// Calls of a method that may be in flight now, over all loops.
    package func limit(_ method: Int) -> Int {
        loops.reduce(0) { $0 + $1.counters[method].limit.load(ordering: .relaxed) }
    }

    /// Calls of a method that were refused so far.
    package func refusals(_ method: Int, _ reason: RefusalReason) -> Int {
        loops.reduce(0) { $0 + $1.counters[method].count(reason) }
    }
}
