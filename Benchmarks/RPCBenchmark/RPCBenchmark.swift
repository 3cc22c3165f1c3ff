import Contracts
import Glibc
import Logging
import NIOCore
import NIOPosix
import RPC

/// What our server and our client cost by themselves: a unary echo, nothing behind it.
///
///     rpc-benchmark server PORT [THREADS]
///     rpc-benchmark client PORT CALLS [IN_FLIGHT] [THREADS]
@main
struct RPCBenchmark {
    static let echo = Method<Vessel_Vessel, Vessel_Vessel>(service: "benchmark.Echo", name: "Call")

    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count >= 3, let port = Int(arguments[2]) else {
            return usage()
        }
        switch arguments[1] {
        case "server": try await serve(port, threads: number(3) ?? 2)
        case "client":
            guard let calls = number(3) else { return usage() }
            try await call(port, calls: calls, inFlight: number(4) ?? 128, threads: number(5) ?? 1)
        default: usage()
        }
    }

    private static func number(_ index: Int) -> Int? {
        index < CommandLine.arguments.count ? Int(CommandLine.arguments[index]) : nil
    }

    private static func usage() {
        print("usage: rpc-benchmark server PORT [THREADS] | client PORT CALLS [IN_FLIGHT] [THREADS]")
    }

    private static func serve(_ port: Int, threads: Int) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        let server = RPCServer(
            routes: [RPCRoute(echo) { vessel, _ in vessel }],
            configuration: .init(address: HostPort(host: "127.0.0.1", port: port)),
            group: group, logger: Logger(label: "benchmark"))
        _ = try await server.start()
        // Until it is ended from outside.
        while true { try await Task.sleep(for: .seconds(3_600)) }
    }

    private static func call(_ port: Int, calls: Int, inFlight: Int, threads: Int) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        let client = RPCClient(
            configuration: .init(target: HostPort(host: "127.0.0.1", port: port)),
            group: group, logger: Logger(label: "benchmark"))
        let vessel = Vessel_Vessel.with {
            $0.id = "vessel001"
            $0.capacity = 500
            $0.maxWeight = 200_000
            $0.name = "Kane's Salty Secret"
        }
        _ = try await client.call(echo, vessel, deadline: .after(.seconds(5)))
        let began = NIODeadline.now()
        let cpuBegan = cpuMicroseconds()
        let loops = Array(group.makeIterator())
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for worker in 0..<inFlight {
                let share = calls / inFlight
                tasks.addTask(executorPreference: EventLoopExecutor(loops[worker % loops.count])) {
                    for _ in 0..<share {
                        _ = try await client.call(echo, vessel, deadline: .after(.seconds(5)))
                    }
                }
            }
            try await tasks.waitForAll()
        }
        let seconds = Double((NIODeadline.now() - began).nanoseconds) / 1e9
        let done = calls / inFlight * inFlight
        let rate = Int(Double(done) / seconds)
        let tenths = Int((cpuMicroseconds() - cpuBegan) * 10 / Double(done))
        print("\(done) calls, \(rate) calls/s, \(tenths / 10).\(tenths % 10) us CPU per call in the client")
        await client.shutdown()
    }

    /// User and system time of this process.
    private static func cpuMicroseconds() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
    }
}
