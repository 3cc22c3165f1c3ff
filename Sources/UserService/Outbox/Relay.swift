import Logging
import RPC
import ServiceLifecycle

/// Hands stored events to the mail service, one relay in each replica.
///
/// At least once: an event counts as delivered when the mail service answered and the store noted it. After a crash in
/// between it is delivered again, and the mail service knows it by its id. Nothing here keeps the user service from
/// being ready: with the mail service down, people sign up and their events wait.
struct Relay: Service {
    let outbox: any Outbox
    let delivery: EventDelivery
    var configuration = Configuration()
    let metrics: RelayMetrics
    let logger: Logger

    /// Runs until the graceful shutdown, and then finishes the deliveries in flight.
    func run() async throws {
        await withTaskGroup { group in
            group.addTask { await deliverEvents() }
            group.addTask { await countEvents() }
        }
    }

    private func deliverEvents() async {
        var log = RelayLog(logger: logger)
        while !isStopping {
            do {
                let deadline = Deadline.after(configuration.storeTimeout)
                let batch = try await outbox.claim(
                    limit: configuration.batchSize, lease: configuration.lease, deadline: deadline)
                log.storeAnswered()
                if batch.isEmpty {
                    await waitForEvent()
                } else {
                    log.note(await deliver(batch))
                }
            } catch {
                log.storeFailed(error)
                await sleep(configuration.pause)
            }
        }
    }

    private func countEvents() async {
        while !isStopping {
            // A failure shows in the pool's gauges and in the relay's log.
            let deadline = Deadline.after(configuration.storeTimeout)
            if let statistics = try? await outbox.statistics(deadline: deadline) { metrics.note(statistics) }
            await sleep(configuration.statisticsInterval)
        }
    }

    private var isStopping: Bool { Task.isCancelled || Task.isShuttingDownGracefully }

    private func sleep(_ duration: Duration) async {
        await cancelWhenGracefulShutdown { try? await Task.sleep(for: duration) }
    }

    /// Where nobody can wake us, we look again after a while all the same.
    private func waitForEvent() async {
        do {
            try await cancelWhenGracefulShutdown { try await outbox.waitForEvent(timeout: configuration.pollInterval) }
        } catch {
            await sleep(configuration.pollInterval)
        }
    }
}

// MARK: - One batch

extension Relay {
    /// What became of one event.
    private enum Outcome: Sendable {
        case delivered(EventClaim)
        case failed(Status)
        case leftForLater
    }

    /// Delivers claimed events, a few at a time, and notes in the store what became of them.
    private func deliver(_ batch: [ClaimedEvent]) async -> BatchResult {
        var result = BatchResult()
        var delivered: [EventClaim] = []
        var rest = batch.makeIterator()
        await withTaskGroup(of: Outcome.self) { group in
            for _ in 0..<configuration.deliveriesMax {
                guard let event = rest.next() else { break }
                group.addTask { await settle(event) }
            }
            for await outcome in group {
                switch outcome {
                case .delivered(let claim): delivered.append(claim)
                case .failed(let status): result.failure = status
                case .leftForLater: break
                }
                if let event = rest.next() { group.addTask { await settle(event) } }
            }
        }
        result.delivered = delivered.count
        guard !delivered.isEmpty else { return result }
        do {
            try await outbox.markDelivered(delivered, deadline: .after(configuration.storeTimeout))
            metrics.noteDelivered(delivered.count)
        } catch {
            // Their lease ends and they are delivered once more, which the mail service notices.
            logger.warning("delivered events could not be marked", metadata: ["error": "\(error)"])
        }
        return result
    }

    private func settle(_ claimed: ClaimedEvent) async -> Outcome {
        if isStopping {
            await handBack(claimed)
            return .leftForLater
        }
        do throws(Status) {
            try await delivery.deliver(claimed.event, deadline: .after(configuration.deliveryTimeout))
            return .delivered(claimed.claim)
        } catch {
            await setBack(claimed, error)
            return .failed(error)
        }
    }

    /// For another replica, or the next start, to take up at once. When it fails, the lease ends all the same.
    private func handBack(_ claimed: ClaimedEvent) async {
        let deadline = Deadline.after(configuration.storeTimeout)
        try? await outbox.retry(claimed.claim, after: .zero, error: "the relay stopped", deadline: deadline)
    }

    private func setBack(_ claimed: ClaimedEvent, _ status: Status) async {
        let decision = configuration.policy.decide(
            after: status, attempts: claimed.attempts, random: .random(in: 0...1))
        let reason = "\(status)".shortened(bytesMax: Configuration.errorBytesMax)
        let deadline = Deadline.after(configuration.storeTimeout)
        do {
            switch decision {
            case .retry(let delay):
                try await outbox.retry(claimed.claim, after: delay, error: reason, deadline: deadline)
                metrics.noteRetried()
            case .bury:
                try await outbox.bury(claimed.claim, error: reason, deadline: deadline)
                metrics.noteBuried()
                logger.error(
                    "an event was set aside and waits to be requeued",
                    metadata: ["event": "\(claimed.event.id)", "why": "\(reason)"])
            }
        } catch {
            // Its lease ends all the same, and it is due again.
            logger.warning("a failed delivery could not be noted", metadata: ["error": "\(error)"])
        }
    }
}
