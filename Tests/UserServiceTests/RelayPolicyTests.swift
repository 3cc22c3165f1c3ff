import RPC
import Runtime
import Testing

@testable import UserService

@Suite("When an event is tried again")
struct RelayPolicyTests {
    private let policy = RelayPolicy()

    @Test("waits double from a second up to five minutes, less up to half at random")
    func waits() {
        let expected: [(Int, Duration)] = [
            (0, .seconds(1)), (1, .seconds(2)), (5, .seconds(32)), (8, .seconds(256)), (9, .seconds(300)),
            (998, .seconds(300)),
        ]
        for (attempts, wait) in expected {
            #expect(policy.decide(after: Status(.internal), attempts: attempts, random: 0) == .retry(after: wait))
            #expect(policy.decide(after: Status(.internal), attempts: attempts, random: 1) == .retry(after: wait / 2))
        }
    }

    @Test("an outage of a day uses up a fraction of an event's tries, even where every wait is the shortest")
    func outage() {
        var (attempts, passed) = (0, Duration.zero)
        while passed < .seconds(24 * 3600) {
            guard case .retry(let wait) = policy.decide(after: Status(.unavailable), attempts: attempts, random: 1)
            else {
                break
            }
            attempts += 1
            passed += wait
        }
        #expect(passed >= .seconds(24 * 3600))
        #expect(attempts < 600)
    }

    @Test("only what will never be taken is set aside early", arguments: Status.Code.allCases.filter { $0 != .ok })
    func codes(code: Status.Code) {
        let isHopeless = [.invalidArgument, .outOfRange].contains(code)
        let decision = policy.decide(after: Status(code), attempts: 0, random: 0)
        #expect(decision == (isHopeless ? .bury : .retry(after: .seconds(1))))
        #expect(policy.decide(after: Status(code), attempts: 999, random: 0) == .bury)
    }

    @Test("a batch that hangs all through is over before its lease")
    func lease() {
        let bounds = Relay.Configuration()
        let rounds = (bounds.batchSize + bounds.deliveriesMax - 1) / bounds.deliveriesMax
        // Each delivery may be followed by a word to the store, and the batch by another.
        #expect(bounds.deliveryTimeout * rounds + bounds.storeTimeout < bounds.lease)
    }

    @Test("the numbers are there for Prometheus")
    func metrics() {
        let (metrics, registry) = (RelayMetrics(), MetricsRegistry())
        metrics.register(in: registry)
        #expect(registry.render().contains("outbox_pending NaN"))
        metrics.note(OutboxStatistics(pending: 3, oldestPendingSeconds: 1.5, dead: 2))
        metrics.noteDelivered(7)
        metrics.noteRetried()
        metrics.noteBuried()
        let text = registry.render()
        for line in [
            "outbox_pending 3", "outbox_oldest_pending_seconds 1.5", "outbox_dead 2", "outbox_delivered_total 7",
            "outbox_retried_total 1", "outbox_buried_total 1",
        ] {
            #expect(text.contains("\n" + line), "\(line)")
        }
    }
}
