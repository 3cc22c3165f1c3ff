extension Report {
    /// - Parameter began: when the run began.
    init(
        _ result: RunResult, _ series: [ProcessSeries], _ options: LoadGenerator, began: String,
        capacity: CapacityReport? = nil
    ) {
        let list = result.phases.list
        self.init(
            began: began, machine: Machine.description, url: options.url, mix: "\(options.mix)",
            arrivals: options.arrivals, seed: options.seed, timeoutSeconds: options.timeout.seconds,
            connectionsMax: options.connections, isInterrupted: result.isInterrupted,
            phases: list.indices.map { phase in
                PhaseReport(
                    name: "phase \(phase + 1)", times: result.times(phase: phase), kinds: result.figures[phase])
            },
            total: PhaseReport(
                name: list.count > 1 ? "all phases" : "all", times: 0..<result.plannedSeconds,
                kinds: Kind.allCases.map { result.figures(kind: $0) }),
            recovery: Recovery.find(result), generator: GeneratorReport(result),
            processes: series.map { ProcessReport($0, result) },
            seconds: Self.seconds(result), tenths: TenthsReport(result.buckets), capacity: capacity)
    }

    /// Whole seconds of the plan, and what is left at its end.
    private static func seconds(_ result: RunResult) -> [SecondReport] {
        stride(from: 0, to: result.buckets.count, by: Bucket.perSecond).compactMap { start in
            let bucket = Bucket.sum(result.buckets[start..<min(start + Bucket.perSecond, result.buckets.count)])
            return bucket.offered > 0 ? SecondReport(second: start / Bucket.perSecond, bucket) : nil
        }
    }
}
