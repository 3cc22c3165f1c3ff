import NIOCore
import NIOPosix

/// Runs schedules one after the other, and shows what happens meanwhile.
struct Runner: Sendable {
    /// How often the engine is asked whether it is done: Ctrl-C is noticed as soon.
    private static let lookEvery: Duration = .milliseconds(100)

    let group: MultiThreadedEventLoopGroup
    var settings: RunSettings
    let watched: [WatchedProcess]
    /// Gets the line of each second.
    let show: @Sendable (String) -> Void

    func run(_ phases: Phases, _ schedule: Schedule) async throws -> (RunResult, [ProcessSeries]) {
        let loop = group.next()
        let settings = settings
        let (engine, result) = try await loop.submit {
            let engine = Engine(loop: loop, phases: phases, schedule: schedule, settings: settings)
            return (NIOLoopBound(engine, eventLoop: loop), engine.start())
        }.get()

        let watching = Task { try await watch(engine, loop, phases) }
        let outcome = try await result.get()
        watching.cancel()
        var series = try await watching.value
        for index in series.indices { series[index].sample(at: outcome.seconds) }
        return (outcome, series)
    }

    /// Shows a line each second and samples the watched processes, until it is cancelled.
    private func watch(
        _ engine: NIOLoopBound<Engine>, _ loop: any EventLoop, _ phases: Phases
    ) async throws -> [ProcessSeries] {
        var series = watched.map { ProcessSeries($0) }
        for index in series.indices { series[index].sample(at: 0) }
        let clock = ContinuousClock()
        let began = clock.now
        var second = 1
        var isCut = false
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.lookEvery)
            if Interrupt.came, !isCut {
                isCut = true
                try await loop.submit { engine.value.cut() }.get()
            }
            guard clock.now - began >= .seconds(second) else { continue }
            for index in series.indices { series[index].sample(at: Double(second)) }
            let progress = try await loop.submit { engine.value.takeProgress() }.get()
            show(progress.line(second: second, phases: phases))
            second += 1
        }
        return series
    }
}
