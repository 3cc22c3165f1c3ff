import NIOPosix
import TestSupport
import Testing

@testable import LoadGenerator

/// Runs `phases` of bookings and listings against `gateway`, as the program does.
func load(
    _ gateway: FakeGateway, _ phases: String, mix: String = "booking=1,listing=3", connections: Int = 200,
    timeout: Double = 5, watched: [WatchedProcess] = []
) async throws -> (result: RunResult, processes: [ProcessSeries]) {
    let target = try Target(gateway.address, allowRemote: false)
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let preparation = Preparation(calls: SingleCalls(target: target, loop: group.next()), run: "test")
    let outcome = await Result<(RunResult, [ProcessSeries]), any Error>(catching: {
        let accounts = try await preparation.accounts(2)
        let settings = RunSettings(
            target: target, connectionsMax: connections, timeout: Span(seconds: timeout), accounts: accounts,
            run: "test",
            pageSize: 3, hasKeys: false)
        let runner = Runner(group: group, settings: settings, watched: watched) { _ in }
        let phases = try #require(Phases(argument: phases))
        let mix = try #require(Mix(argument: mix))
        let schedule = Schedule(phases: phases, mix: mix, arrivals: .constant, seed: 1)
        return try await runner.run(phases, schedule)
    })
    try await group.shutdownGracefully()
    let (result, processes) = try outcome.get()
    return (result, processes)
}

/// The same, where there is nobody to sign up with.
func unprepared(_ target: Target, _ phases: String) async throws -> (RunResult, [ProcessSeries]) {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let settings = RunSettings(
        target: target, connectionsMax: 10, timeout: Span(seconds: 5),
        accounts: [Account(email: "nobody@example.com", token: "a.b.c")], run: "test", pageSize: 3, hasKeys: false)
    let outcome = await Result<(RunResult, [ProcessSeries]), any Error>(catching: {
        let phases = try #require(Phases(argument: phases))
        let schedule = Schedule(phases: phases, mix: .standard, arrivals: .constant, seed: 1)
        return try await Runner(group: group, settings: settings, watched: []) { _ in }.run(phases, schedule)
    })
    try await group.shutdownGracefully()
    return try outcome.get()
}
