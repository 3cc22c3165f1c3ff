import Contracts
import Logging
import RPC
import ServiceLifecycle
import Synchronization

/// What all exporters keep to.
enum ExportLimits {
    /// What is left at the end of the program has so long to go out.
    static let flushTimeout: Duration = .seconds(2)
    /// Tries for one batch, the first included.
    static let attemptsMax = 5
    static let backoff = Backoff(first: .milliseconds(500), longest: .seconds(10))
}

/// Wakes an exporter: when it is time, and when a batch is full.
struct ExportWakeup: Sendable {
    let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() {
        (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Usable from any thread; never waits.
    func notify() { continuation.yield() }

    func finish() { continuation.finish() }
}

/// Sends telemetry of one kind to a collector, some at a time, beside whatever the program does. When the collector is
/// away or slow, one batch waits here and others in the queue, whose bound drops the rest.
final class Exporter<Queue: ExportQueue>: Service {
    /// What metrics read, also after the exporter's end.
    private final class Counts: Sendable {
        let exported = Atomic(0)
        let failed = Atomic(0)
    }

    private let signal: TelemetrySignal
    private let settings: ExportSettings
    private let delay: Duration
    private let client: RPCClient
    private let logger: Logger
    private let wakeup: ExportWakeup
    private let counts = Counts()
    private let isFailing = Atomic(false)
    /// How many of those dropped are known to the log.
    private let droppedBefore = Atomic(0)
    private let isDropping = Atomic(false)
    let queue: Queue

    /// - Parameters:
    ///   - delay: from one export to the next, unless a batch is full before.
    ///   - client: of the collector, used by this exporter alone; it is shut down with it.
    ///   - wakeup: told by the queue when a batch is full.
    ///   - logger: its lines must not be exported.
    init(
        _ signal: TelemetrySignal, _ settings: ExportSettings, delay: Duration, queue: Queue, client: RPCClient,
        wakeup: ExportWakeup, logger: Logger
    ) {
        self.signal = signal
        self.settings = settings
        self.delay = delay
        self.queue = queue
        self.client = client
        self.wakeup = wakeup
        self.logger = logger
    }

    /// Runs until the graceful shutdown, and then sends what is left, within ``ExportLimits/flushTimeout``.
    func run() async throws {
        let work = Task { await self.exportForever() }
        try? await gracefulShutdown()
        let deadline = Deadline.after(ExportLimits.flushTimeout)
        wakeup.finish()
        // A batch that is on its way is waited for: one that is cancelled must be sent again, and may then be there twice.
        let timer = Task {
            try? await Task.sleep(for: ExportLimits.flushTimeout / 2)
            work.cancel()
        }
        let unsent = await work.value
        timer.cancel()
        await flush(unsent, deadline)
        logDropped()
        await client.shutdown()
    }

    func register(in metrics: MetricsRegistry) {
        let (prefix, items) = (signal.metricPrefix, signal.items)
        metrics.counter("\(prefix)_exported_total", "\(items) that the collector took.") { [counts] in
            Double(counts.exported.load(ordering: .relaxed))
        }
        metrics.counter("\(prefix)_failed_total", "\(items) that the collector did not take, and that were given up.") {
            [counts] in Double(counts.failed.load(ordering: .relaxed))
        }
        // Metrics are read when they are sent, and wait for nothing.
        guard signal != .metrics else { return }
        metrics.counter("\(prefix)_dropped_total", "\(items) that found the queue full.") { [queue] in
            Double(queue.dropped)
        }
        metrics.gauge("\(prefix)_queued", "\(items) that wait to be sent.") { [queue] in Double(queue.count) }
    }

    /// - Returns: the batch that was on its way when the task was cancelled.
    private func exportForever() async -> [Queue.Item] {
        let ticker = Task { [delay, wakeup] in
            while (try? await Task.sleep(for: delay)) != nil { wakeup.notify() }
        }
        defer { ticker.cancel() }
        for await _ in wakeup.stream {
            queue.collect()
            repeat {
                let batch = queue.takeBatch()
                if batch.isEmpty { break }
                guard await send(batch) else { return batch }
                logDropped()
                // What came meanwhile waits for its time, unless it fills a batch.
            } while queue.hasFullBatch
        }
        return []
    }

    /// Sends a batch, and retries.
    ///
    /// - Returns: false when the task was cancelled before the batch was sent or given up.
    private func send(_ batch: [Queue.Item]) async -> Bool {
        var attempt = 1
        while true {
            let outcome = await call(batch, deadline: .after(settings.timeout))
            if case .failure(let status) = outcome {
                if Task.isCancelled { return false }
                if Self.isRetryable(status.code), attempt < ExportLimits.attemptsMax {
                    logFailure(status)
                    let pause = ExportLimits.backoff.wait(after: attempt, random: .random(in: 0..<1))
                    guard (try? await Task.sleep(for: pause)) != nil else { return false }
                    attempt += 1
                    continue
                }
            }
            recordOutcome(queue.size(of: batch), outcome)
            return true
        }
    }

    private func flush(_ first: [Queue.Item], _ deadline: Deadline) async {
        queue.collect()
        var batch = first.isEmpty ? queue.takeBatch() : first
        while !batch.isEmpty {
            recordOutcome(queue.size(of: batch), await call(batch, deadline: deadline))
            batch = queue.takeBatch()
        }
    }

    private func call(_ batch: [Queue.Item], deadline: Deadline) async -> Result<Otlp_ExportResponse, Status> {
        do {
            return .success(try await queue.send(batch, by: client, settings.headers, deadline))
        } catch {
            return .failure(Status(error))
        }
    }

    private func recordOutcome(_ count: Int, _ outcome: Result<Otlp_ExportResponse, Status>) {
        switch outcome {
        case .success(let response):
            let rejected = min(count, max(0, Int(clamping: response.partialSuccess.rejectedItems)))
            counts.exported.add(count - rejected, ordering: .relaxed)
            counts.failed.add(rejected, ordering: .relaxed)
            if isFailing.exchange(false, ordering: .relaxed) { logger.info("\(signal.rawValue) are exported again") }
            if rejected > 0 {
                logger.debug("the collector rejected \(signal.rawValue)", metadata: ["count": "\(rejected)"])
            }
        case .failure(let status):
            counts.failed.add(count, ordering: .relaxed)
            logFailure(status)
        }
    }

    /// Logs a failed export once until one succeeds.
    private func logFailure(_ status: Status) {
        guard !isFailing.exchange(true, ordering: .relaxed) else { return }
        let consequence =
            signal == .metrics ? "the next export replaces this one" : "they are dropped when too many wait"
        logger.warning(
            "\(signal.rawValue) can't be exported; \(consequence)", metadata: ["why": "\(status.code.name)"])
    }

    /// Logs dropped items once until none are dropped.
    private func logDropped() {
        let dropped = queue.dropped
        let before = droppedBefore.exchange(dropped, ordering: .relaxed)
        guard dropped > before else {
            isDropping.store(false, ordering: .relaxed)
            return
        }
        guard !isDropping.exchange(true, ordering: .relaxed) else { return }
        logger.warning(
            "\(signal.rawValue) are dropped from the export, as too many wait",
            metadata: ["count": "\(dropped - before)"])
    }

    /// Whether the specification allows a retry. Source: OTLP specification, "OTLP/gRPC", "Failures".
    private static func isRetryable(_ code: Status.Code) -> Bool {
        switch code {
        case .cancelled, .deadlineExceeded, .aborted, .outOfRange, .unavailable, .dataLoss: true
        default: false
        }
    }
}
