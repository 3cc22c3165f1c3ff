import LeasedQueue
import Logging
import RPC
import Runtime
import Testing

@testable import UserService

@Suite("When an event is tried again")
struct RelayPolicyTests {
    private func decide(after status: Status, attempts: Int, random: Double) -> QueueOutcome {
        Relay.policy.decide(Relay.outcome(of: status), attempts: attempts, random: random)
    }

    @Test("waits double from a second up to five minutes, less up to half at random")
    func waits() {
        let expected: [(Int, Duration)] = [
            (0, .seconds(1)), (1, .seconds(2)), (5, .seconds(32)), (8, .seconds(256)), (9, .seconds(300)),
            (998, .seconds(300)),
        ]
        for (attempts, wait) in expected {
            func retry(_ delay: Duration) -> QueueOutcome { .retry(after: delay, reason: "\(Status(.internal))") }
            #expect(decide(after: Status(.internal), attempts: attempts, random: 1) == retry(wait))
            #expect(decide(after: Status(.internal), attempts: attempts, random: 0) == retry(wait / 2))
        }
    }

    @Test("an outage of a day uses up a fraction of an event's tries, even where every wait is the shortest")
    func outage() {
        var (attempts, passed) = (0, Duration.zero)
        while passed < .seconds(24 * 3600) {
            guard case .retry(let wait?, _) = decide(after: Status(.unavailable), attempts: attempts, random: 0) else {
                break
            }
            attempts += 1
            passed += wait
        }
        #expect(passed >= .seconds(24 * 3600))
        #expect(attempts < 600)
    }

    @Test("only an invalid event is dead-lettered early", arguments: Status.Code.allCases.filter { $0 != .ok })
    func codes(code: Status.Code) {
        let isHopeless = [.invalidArgument, .outOfRange].contains(code)
        let reason = "\(Status(code))"
        let decision = decide(after: Status(code), attempts: 0, random: 1)
        #expect(decision == (isHopeless ? .deadLetter(reason: reason) : .retry(after: .seconds(1), reason: reason)))
        #expect(decide(after: Status(code), attempts: 999, random: 1) == .deadLetter(reason: reason))
    }

    @Test("a batch that hangs all through is over before its lease")
    func lease() {
        let policy = Relay.policy
        let batchSize = policy.concurrencyMax + policy.claimedAhead
        #expect(batchSize == 64 && policy.concurrencyMax == 16)
        let rounds = (batchSize + policy.concurrencyMax - 1) / policy.concurrencyMax
        // Each delivery may be followed by a word to the store, and the batch by another.
        #expect(Relay.deliveryTimeout * rounds + policy.storeTimeout < policy.lease)
    }

    @Test("the numbers are there for Prometheus")
    func metrics() async throws {
        try await withWatchedUsers { users in
            let (counts, registry) = (QueueCounts(), MetricsRegistry())
            let pending = PendingWatch(users, logger: Logger(label: "test"))
            OutboxMetrics.register(counts, pending, in: registry)
            #expect(registry.render().contains("outbox_pending NaN"))
            pending.record(LeasedQueueStatistics(pending: 3, oldestPendingSeconds: 1.5, deadLetters: 2))
            counts.add(7, to: \.done)
            counts.add(1, to: \.retried)
            counts.add(1, to: \.deadLettered)
            let text = registry.render()
            for line in [
                "outbox_pending 3", "outbox_oldest_pending_seconds 1.5", "outbox_dead 2", "outbox_delivered_total 7",
                "outbox_retried_total 1", "outbox_buried_total 1",
            ] {
                #expect(text.contains("\n" + line), "\(line)")
            }
        }
    }
}
