import NIOCore
import Testing

@testable import APIGateway

/// Log-ins and sign-ups: their callers would rather wait for 2.5 seconds than be shed. Of one event loop 3 are with the
/// service, which hashes one or two of them at a time.
@Suite("The queue of calls that would rather wait") struct PatientQueueTests {
    private static let waitMax = 2_500

    private func hashing(_ servers: Int, milliseconds: Int = 50) -> Simulation {
        var simulation = Simulation(servers: servers) { _ in milliseconds }
        simulation.state = ShedderState(.patient(inFlightMax: 3, waitMax: .milliseconds(Int64(Self.waitMax))))
        return simulation
    }

    /// Whether each has waited for its time, and for no more than a check longer.
    private func haveWaited(_ refusals: [Simulation.Refusal]) -> Bool {
        refusals.allSatisfy { (Self.waitMax...Self.waitMax + 20).contains($0.waited) }
    }

    @Test(
        "as many callers as can be served within that time are, and none is refused",
        arguments: [(16, 1), (32, 1), (46, 1), (16, 2), (64, 2), (92, 2), (64, 3)], [0, 2_500])
    func servedInTime(load: (Int, Int), within: Int) {
        let (callers, servers) = load
        var simulation = hashing(servers)
        simulation.run(for: 30_000, callers: callers, joiningWithin: within)
        #expect(simulation.refusals.isEmpty && simulation.changes.isEmpty, "\(simulation.refusals.count)")
        #expect(simulation.percentile(1) <= Self.waitMax)
        #expect(simulation.answered(2_500..<30_000) >= servers * 20 * 27)
    }

    @Test("a hash that takes long, and a service that stands still for a moment, are no reason to refuse what can wait")
    func slow() {
        // On a busy machine: four callers of whom one waits for a second, then for two.
        for milliseconds in [1_000, 2_000] {
            var busy = hashing(1, milliseconds: milliseconds)
            busy.run(for: 30_000, callers: 4)
            #expect(busy.refusals.isEmpty)
        }
        for length in [400, 800, 1_200] {
            var pause = hashing(2)
            pause.work = { (10_000..<10_000 + length).contains($0) ? nil : 50 }
            pause.run(for: 20_000, callers: 40)
            #expect(pause.refusals.isEmpty && pause.changes.isEmpty, "\(length) ms: \(pause.refusals.count)")
        }
    }

    @Test(
        "of twice as many what can be served is, and nobody waits for longer, nor is refused before",
        arguments: [0, 2_500])
    func twice(within: Int) {
        var simulation = hashing(2)
        simulation.run(for: 40_000, callers: 240, joiningWithin: within)
        #expect(simulation.answered(1_000..<40_000) >= 39 * 40 * 95 / 100, "\(simulation.answers.count)")
        #expect(simulation.refusals.count > 500)
        #expect(haveWaited(simulation.refusals))
        // Three calls of which two are hashed at a time: a call takes 100 ms at most once it has a place.
        #expect(simulation.percentile(1) <= Self.waitMax + 20 + 100, "\(simulation.percentile(1))")
    }

    @Test("calls that come whether others are answered or not: what can be served is, and soon while it lasts")
    func openLoop() {
        // 40 a second can be served, and 160 come.
        var simulation = hashing(2)
        simulation.run(for: 40_000) { $0 % 25 == 0 ? 4 : 0 }
        #expect(simulation.answered(1_000..<40_000) >= 39 * 40 * 95 / 100, "\(simulation.answers.count)")
        #expect(haveWaited(simulation.refusals))
        #expect(simulation.state.isShedding)
        // What is served has most of its time left for the service.
        #expect(simulation.percentile(0.9, after: 6_000) <= 1_000, "\(simulation.percentile(0.9, after: 6_000))")
    }

    @Test("when there are no more than can be served again, refusals end within seconds", arguments: [16, 64, 88])
    func recovery(callers: Int) {
        var simulation = hashing(2)
        simulation.run(for: 30_000, callers: 240, joiningWithin: 3_000)
        #expect(simulation.state.isShedding)
        simulation.run(for: 30_000, callers: callers)
        let last = simulation.refusals.last?.at ?? 0
        #expect(last < 36_000 && !simulation.state.isShedding, "\(last)")
    }

    @Test("where nothing is answered at all a call is refused after that time")
    func stuck() {
        var simulation = hashing(1)
        simulation.work = { _ in nil }
        simulation.run(for: 10_000, callers: 20)
        #expect(simulation.refusals.count >= 3 * 17)
        #expect(haveWaited(simulation.refusals))
    }
}
