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
///
/// And what a running vessel service does with many vessels: stores COUNT of them, or asks for one again and again.
///
///     rpc-benchmark fill PORT COUNT
///     rpc-benchmark find PORT CALLS CAPACITY WEIGHT
///     rpc-benchmark churn PORT CALLS CAPACITY WEIGHT
///     rpc-benchmark reserve PORT CALLS
///
/// And a collector that takes traces and forgets them.
///
///     rpc-benchmark collector PORT
@main
struct RPCBenchmark {
    static let echo = Method<Vessel_Vessel, Vessel_Vessel>(service: "benchmark.Echo", name: "Call")

    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count >= 3, let port = Int(arguments[2]) else {
            return usage()
        }
        switch arguments[1] {
        case "server": try await serve(port, threads: number(3) ?? 2, RPCRoute(echo) { vessel, _ in vessel })
        case "client":
            guard let calls = number(3) else { return usage() }
            try await call(port, calls: calls, inFlight: number(4) ?? 128, threads: number(5) ?? 1)
        case "fill":
            guard let count = number(3) else { return usage() }
            try await fill(port, count: count)
        case "find":
            guard let calls = number(3), let capacity = number(4), let weight = number(5) else { return usage() }
            try await find(port, calls: calls, capacity: Int32(capacity), weight: Int32(weight))
        case "churn":
            guard let calls = number(3), let capacity = number(4), let weight = number(5) else { return usage() }
            try await churn(port, calls: calls, capacity: Int32(capacity), weight: Int32(weight))
        case "reserve":
            guard let calls = number(3) else { return usage() }
            try await reserve(port, calls: calls)
        case "collector":
            try await serve(port, threads: 1, RPCRoute(TraceMethods.export) { _, _ in Otlp_ExportResponse() })
        default: usage()
        }
    }

    private static func number(_ index: Int) -> Int? {
        index < CommandLine.arguments.count ? Int(CommandLine.arguments[index]) : nil
    }

    private static func usage() {
        print("usage: rpc-benchmark server PORT [THREADS] | client PORT CALLS [IN_FLIGHT] [THREADS]")
    }

    private static func serve(_ port: Int, threads: Int, _ route: RPCRoute) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        let server = RPCServer(
            routes: [route],
            configuration: .init(address: HostPort(host: "127.0.0.1", port: port)),
            group: group, logger: Logger(label: "benchmark"))
        _ = try await server.start()
        // Until it is ended from outside.
        while true { try await Task.sleep(for: .seconds(3_600)) }
    }

    private static func call(_ port: Int, calls: Int, inFlight: Int, threads: Int) async throws {
        let vessel = Vessel_Vessel.with {
            $0.id = "vessel001"
            $0.capacity = 500
            $0.maxWeight = 200_000
            $0.name = "Kane's Salty Secret"
        }
        let load = Load(port, threads: threads)
        try await load.run(calls: 128, inFlight: 1) { client, _ in
            _ = try await client.call(echo, vessel, deadline: .after(.seconds(5)))
        }
        let result = try await load.run(calls: calls, inFlight: inFlight) { client, _ in
            _ = try await client.call(echo, vessel, deadline: .after(.seconds(5)))
        }
        await load.stop()
        print("\(result.calls) calls, \(result.rate) calls/s, \(result.cpu) us CPU per call in the client")
    }

    /// Capacities and weights that have nothing to do with each other, spread over a million: the hard case.
    private static func fill(_ port: Int, count: Int) async throws {
        let load = Load(port, threads: 1)
        let result = try await load.run(calls: count, inFlight: 200) { client, number in
            let vessel = Vessel_Vessel.with {
                $0.name = "vessel \(number)"
                $0.capacity = Int32(number.multipliedReportingOverflow(by: 7_919).partialValue % 1_000_000 + 1)
                $0.maxWeight = Int32(number.multipliedReportingOverflow(by: 104_729).partialValue % 1_000_000 + 1)
                $0.available = true
            }
            _ = try await client.call(VesselMethods.create, vessel, deadline: .after(.seconds(30)))
        }
        await load.stop()
        print("\(result.calls) vessels, \(result.rate) Create calls/s")
    }

    /// Small room for as many consignments.
    private static func reserve(_ port: Int, calls: Int) async throws {
        let load = Load(port, threads: 1)
        let run = UInt64.random(in: .min ... .max)
        let result = try await load.run(calls: calls, inFlight: 64) { client, number in
            let reservation = Vessel_Reservation.with {
                $0.consignmentID = "bench-\(run)-\(number)"
                $0.containers = 1
                $0.weight = 1
            }
            _ = try await client.call(VesselMethods.reserve, reservation, deadline: .after(.seconds(30)))
        }
        await load.stop()
        print(result.rate)
    }

    private static func find(_ port: Int, calls: Int, capacity: Int32, weight: Int32) async throws {
        let rate = try await findRate(port, calls: calls, capacity: capacity, weight: weight)
        print(rate)
    }

    /// Searches while another client books what they ask for and releases it, again and again, so that what is left changes
    /// where they look. Prints the searches a second, the other client's calls a second, and the number of all calls.
    private static func churn(_ port: Int, calls: Int, capacity: Int32, weight: Int32) async throws {
        let inRound = 320
        let load = Load(port, threads: 1)
        let run = UInt64.random(in: .min ... .max)
        let began = NIODeadline.now()
        let booking = Task { () async throws -> Int in
            var rounds = 0
            while !Task.isCancelled {
                let round = rounds
                do {
                    try await load.run(calls: inRound, inFlight: 16) { client, number in
                        let reservation = Vessel_Reservation.with {
                            $0.consignmentID = "churn-\(run)-\(round)-\(number)"
                            $0.containers = capacity
                            $0.weight = weight
                        }
                        do {
                            _ = try await client.call(
                                VesselMethods.reserve, reservation, deadline: .after(.seconds(30)))
                        } catch let status as Status where status.code == .notFound {
                            // The others hold what there is.
                        }
                        _ = try await client.call(VesselMethods.release, reservation, deadline: .after(.seconds(30)))
                    }
                } catch {
                    // The round that is cut off.
                    guard Task.isCancelled else { throw error }
                    break
                }
                rounds += 1
            }
            return rounds * inRound * 2
        }
        let rate = try await findRate(port, calls: calls, capacity: capacity, weight: weight)
        booking.cancel()
        let bookingCalls = try await booking.value
        let seconds = Double((NIODeadline.now() - began).nanoseconds) / 1e9
        await load.stop()
        print(rate, Int(Double(bookingCalls) / seconds), calls + bookingCalls)
    }

    /// Searches a second.
    private static func findRate(_ port: Int, calls: Int, capacity: Int32, weight: Int32) async throws -> Int {
        let load = Load(port, threads: 1)
        let specification = Vessel_Specification.with {
            $0.capacity = capacity
            $0.maxWeight = weight
        }
        let result = try await load.run(calls: calls, inFlight: 64) { client, _ in
            do {
                _ = try await client.call(
                    VesselMethods.findAvailable, specification, deadline: .after(.seconds(30)))
            } catch let status as Status where status.code == .notFound {
                // An answer too.
            }
        }
        await load.stop()
        return result.rate
    }
}
