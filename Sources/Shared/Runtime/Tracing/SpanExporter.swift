import Contracts
import Logging
import RPC
import ServiceLifecycle
import Synchronization
import Traces

/// Sends finished spans to a collector, some at a time, beside whatever the program does. When the collector is away
/// or slow, one batch waits here and others in the buffer, whose bound drops the rest.
final class SpanExporter: Service {
    /// What is left at the end of the program has so long to go out.
    static let flushTimeout: Duration = .seconds(2)
    /// Tries for one batch, the first included.
    private static let attemptsMax = 5
    private static let backoff: Backoff = {
        var backoff = Backoff()
        backoff.first = .milliseconds(500)
        backoff.longest = .seconds(10)
        return backoff
    }()

    private let settings: TraceSettings
    private let client: RPCClient
    private let logger: Logger
    private let resource: Otlp_Resource
    private let bell = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    private let exported = Atomic(0)
    private let failed = Atomic(0)
    private let isFailing = Atomic(false)
    let buffer: SpanBuffer

    /// - Parameter client: of the collector, for nobody else; it is shut down with this.
    init(_ settings: TraceSettings, client: RPCClient, logger: Logger) {
        self.settings = settings
        self.client = client
        self.logger = logger
        resource = SpanMessage.resource(settings.resource)
        buffer = SpanBuffer(capacity: settings.queueSpansMax, batchSize: settings.batchSpansMax) {
            [bell = bell.continuation] in bell.yield()
        }
    }

    /// Runs until the graceful shutdown, and then sends what is left, within ``flushTimeout``.
    func run() async throws {
        let work = Task { await self.exportForever() }
        try? await gracefulShutdown()
        let deadline = Deadline.after(Self.flushTimeout)
        bell.continuation.finish()
        // A batch that is on its way is waited for: one that is cancelled must be sent again, and may then be there twice.
        let impatience = Task {
            try? await Task.sleep(for: Self.flushTimeout / 2)
            work.cancel()
        }
        let unsettled = await work.value
        impatience.cancel()
        await flush(unsettled, deadline)
        await client.shutdown()
    }

    func register(in metrics: MetricsRegistry) {
        metrics.counter("traces_spans_exported_total", "Spans that the collector took.") { [weak self] in
            Double(self?.exported.load(ordering: .relaxed) ?? 0)
        }
        metrics.counter("traces_spans_failed_total", "Spans that the collector did not take, and that were given up.") {
            [weak self] in Double(self?.failed.load(ordering: .relaxed) ?? 0)
        }
        metrics.counter("traces_spans_dropped_total", "Spans that found the queue full.") { [buffer] in
            Double(buffer.dropped)
        }
        metrics.gauge("traces_spans_queued", "Spans that wait to be sent.") { [buffer] in Double(buffer.count) }
    }

    /// - Returns: the batch that was on its way when the task was cancelled.
    private func exportForever() async -> [FinishedSpan] {
        let ticker = Task { [delay = settings.delay, bell = bell.continuation] in
            while (try? await Task.sleep(for: delay)) != nil { bell.yield() }
        }
        defer { ticker.cancel() }
        for await _ in bell.stream {
            repeat {
                let batch = buffer.take(settings.batchSpansMax)
                if batch.isEmpty { break }
                guard await send(batch) else { return batch }
                // What came meanwhile waits for its time, unless it fills a batch.
            } while buffer.count >= settings.batchSpansMax
        }
        return []
    }

    /// Sends a batch, more than once if need be.
    ///
    /// - Returns: false when the task was cancelled before the batch was settled.
    private func send(_ batch: [FinishedSpan]) async -> Bool {
        var attempt = 1
        while true {
            let outcome = await call(batch, deadline: .after(settings.timeout))
            if case .failure(let status) = outcome {
                if Task.isCancelled { return false }
                if Self.isWorthRepeating(status.code), attempt < Self.attemptsMax {
                    noteFailure(status)
                    let pause = Self.backoff.wait(after: attempt, random: .random(in: 0..<1))
                    guard (try? await Task.sleep(for: pause)) != nil else { return false }
                    attempt += 1
                    continue
                }
            }
            settle(batch.count, outcome)
            return true
        }
    }

    private func flush(_ first: [FinishedSpan], _ deadline: Deadline) async {
        var batch = first.isEmpty ? buffer.take(settings.batchSpansMax) : first
        while !batch.isEmpty {
            settle(batch.count, await call(batch, deadline: deadline))
            batch = buffer.take(settings.batchSpansMax)
        }
    }

    private func call(_ batch: [FinishedSpan], deadline: Deadline) async -> Result<Otlp_ExportResponse, Status> {
        do {
            let request = SpanMessage.request(batch, resource)
            return .success(
                try await client.call(TraceMethods.export, request, metadata: settings.headers, deadline: deadline))
        } catch {
            return .failure(Status(error))
        }
    }

    private func settle(_ count: Int, _ outcome: Result<Otlp_ExportResponse, Status>) {
        switch outcome {
        case .success(let response):
            let rejected = min(count, max(0, Int(clamping: response.partialSuccess.rejectedItems)))
            exported.add(count - rejected, ordering: .relaxed)
            failed.add(rejected, ordering: .relaxed)
            if isFailing.exchange(false, ordering: .relaxed) { logger.info("traces are exported again") }
            if rejected > 0 {
                logger.debug("the collector refused spans", metadata: ["count": "\(rejected)"])
            }
        case .failure(let status):
            failed.add(count, ordering: .relaxed)
            noteFailure(status)
        }
    }

    /// One line when it begins, not one for each batch.
    private func noteFailure(_ status: Status) {
        guard !isFailing.exchange(true, ordering: .relaxed) else { return }
        logger.warning(
            "traces can't be exported; they are dropped when too many wait", metadata: ["why": "\(status.code.name)"])
    }

    /// Source: OTLP specification, "OTLP/gRPC", "Failures".
    private static func isWorthRepeating(_ code: Status.Code) -> Bool {
        switch code {
        case .cancelled, .deadlineExceeded, .aborted, .outOfRange, .unavailable, .dataLoss: true
        default: false
        }
    }
}
