import Glibc
import Logging
import NIOCore
import NIOPosix
import RPC

/// Closed-loop load: so many callers, each of which waits for its answer before it calls again.
struct Load {
    struct Result {
        var calls: Int
        /// Calls per second.
        var rate: Int
        /// Microseconds of this process's CPU for each call, to a tenth.
        var cpu: String
    }

    private let group: MultiThreadedEventLoopGroup
    private let client: RPCClient

    init(_ port: Int, threads: Int) {
        group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        client = RPCClient(
            configuration: .init(target: HostPort(host: "127.0.0.1", port: port)),
            group: group, logger: Logger(label: "benchmark"))
    }

    func stop() async {
        await client.shutdown()
    }

    /// - Parameter body: makes one call; its second argument counts the calls from 0, each number once.
    @discardableResult
    func run(
        calls: Int, inFlight: Int, _ body: @escaping @Sendable (RPCClient, Int) async throws -> Void
    ) async throws -> Result {
        let began = NIODeadline.now()
        let cpuBegan = Self.cpuMicroseconds()
        let loops = Array(group.makeIterator())
        let client = client
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for worker in 0..<inFlight {
                tasks.addTask(executorPreference: EventLoopExecutor(loops[worker % loops.count])) {
                    for number in stride(from: worker, to: calls, by: inFlight) { try await body(client, number) }
                }
            }
            try await tasks.waitForAll()
        }
        let seconds = Double((NIODeadline.now() - began).nanoseconds) / 1e9
        let tenths = Int((Self.cpuMicroseconds() - cpuBegan) * 10 / Double(calls))
        return Result(calls: calls, rate: Int(Double(calls) / seconds), cpu: "\(tenths / 10).\(tenths % 10)")
    }

    /// User and system time of this process.
    private static func cpuMicroseconds() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
    }
}
