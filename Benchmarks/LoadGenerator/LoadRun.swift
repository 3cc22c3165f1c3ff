import Foundation
import NIOCore
import NIOPosix

/// What the command does, from its flags to the report.
struct LoadRun {
    /// Between the steps of a search: what waits in the system shall not weigh on the next one. In lengths of a step.
    private static let rest = 0.2
    private static let restAfterFailure = 1.0
    private static let firstStepFactor = 3.0

    let options: LoadGenerator

    init(_ options: LoadGenerator) {
        self.options = options
    }

    func run() async throws {
        let target = try Target(options.url, allowRemote: options.allowRemote)
        try checkFiles()
        try OpenFiles.allow(connections: options.connections)
        Interrupt.watch()
        // One thread: it is the load that shares the machine with what it measures.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let runner = try await prepare(target, group)
            if options.search.findCapacity {
                try await findCapacity(runner)
            } else {
                try await runPhases(runner)
            }
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
    }

    /// A file that can't be written shall be known before the load and not after it. What an earlier run left there
    /// stays until there is something better.
    private func checkFiles() throws {
        for (flag, path) in [("--json", options.json), ("--plot", options.plot)] {
            if let path, !SmallFile.canWrite(path) {
                throw UsageError(description: "\(flag): '\(path)' can't be written")
            }
        }
    }

    private func prepare(_ target: Target, _ group: MultiThreadedEventLoopGroup) async throws -> Runner {
        // Makes this run's addresses differ from those of all others.
        let name = String(UInt64.random(in: .min ... .max), radix: 36)
        let preparation = Preparation(calls: SingleCalls(target: target, loop: group.next()), run: name)
        let accounts = try await preparation.accounts(options.users)
        try await preparation.vessel(accounts[0])
        try await preparation.book(options.pageSize, accounts[0])
        let settings = RunSettings(
            target: target, connectionsMax: options.connections, timeout: options.timeout, accounts: accounts,
            run: name, pageSize: options.pageSize, hasKeys: options.keys)
        let isQuiet = options.quiet
        return Runner(group: group, settings: settings, watched: options.watch) { line in
            if !isQuiet { Output.error(line) }
        }
    }

    private func runPhases(_ runner: Runner) async throws {
        guard let phases = options.phases ?? Phases([Phase(span: options.duration, rate: options.rate)]) else { return }
        let began = Machine.date
        let (result, series) = try await runner.run(phases, schedule(phases))
        try finish(Report(result, series, options, began: began))
    }

    private func schedule(_ phases: Phases) -> Schedule {
        Schedule(phases: phases, mix: options.mix, arrivals: options.arrivals, seed: options.seed)
    }

    private func findCapacity(_ runner: Runner) async throws {
        let began = Machine.date
        var search = CapacitySearch(
            startRate: options.search.startRate,
            boundMilliseconds: options.search.latencyBound.seconds * 1_000)
        var best: (RunResult, [ProcessSeries])?
        var isInterrupted = false
        while let rate = search.next {
            // The first is what the others are measured by.
            let seconds = options.search.step.seconds * (search.steps.isEmpty ? Self.firstStepFactor : 1)
            guard let phases = Phases([Phase(span: Span(seconds: seconds), rate: rate)]) else { break }
            var runner = runner
            // Steps must not sign up with each other's addresses.
            runner.settings.run += "-\(search.steps.count)"
            let outcome = try await runner.run(phases, schedule(phases))
            if outcome.0.isInterrupted {
                isInterrupted = true
                best = best ?? outcome
                break
            }
            search.record(CapacityStep(rate: rate, outcome.0))
            guard let step = search.steps.last else { break }
            Output.error(step.line)
            if step.failure == nil, rate == search.held { best = outcome }
            best = best ?? outcome
            let rest = options.search.step.seconds * (step.failure == nil ? Self.rest : Self.restAfterFailure)
            try await Task.sleep(for: .milliseconds(Int(rest * 1_000)))
        }
        guard let best else { throw UsageError(description: "no step was measured") }
        let capacity = search.steps.isEmpty ? nil : CapacityReport(search, isInterrupted: isInterrupted)
        try finish(Report(best.0, best.1, options, began: began, capacity: capacity))
    }

    private func finish(_ report: Report) throws {
        Output.report(report.text)
        if let path = options.json, !SmallFile.write(try report.json() + "\n", to: path) {
            throw UsageError(description: "--json: '\(path)' can't be written")
        }
        if let path = options.plot, !SmallFile.write(report.plot, to: path) {
            throw UsageError(description: "--plot: '\(path)' can't be written")
        }
    }
}

extension Report {
    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}

extension CapacityStep {
    init(rate: Double, _ result: RunResult) {
        let total = result.total
        self.init(
            rate: rate, offeredRate: Double(total.offered) / result.plannedSeconds,
            goodput: Double(total.accepted) / result.plannedSeconds, p99Milliseconds: total.latency.milliseconds(99),
            kinds: Kind.allCases.compactMap { kind in
                let figures = result.figures(kind: kind)
                guard figures.offered > 0 else { return nil }
                return KindStep(
                    kind: kind, offered: figures.offered, accepted: figures.accepted,
                    p90Milliseconds: figures.latency.milliseconds(90))
            })
    }

    var line: String {
        "step \(Text.number(rate, 0))/s: goodput \(Text.number(goodput, 0))/s, p99 "
            + "\(Text.milliseconds(p99Milliseconds)) ms: \(failure.map { "does not hold (\($0))" } ?? "holds")"
    }
}
