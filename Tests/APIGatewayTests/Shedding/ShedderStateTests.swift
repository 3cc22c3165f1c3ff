import NIOCore
import Testing

@testable import APIGateway

@Suite("The queue of a method") struct ShedderStateTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    // MARK: What is no overload

    @Test("as many callers as there are places never wait, however slow the service is")
    func places() {
        for work in [1, 30, 3_000] {
            var simulation = Simulation(servers: 4) { _ in work }
            simulation.run(for: 20_000, callers: 64)
            #expect(simulation.refusals.isEmpty && simulation.state.queuedCount == 0)
        }
    }

    @Test("one call in nine that takes a hundred times as long is no reason to refuse any")
    func oneInNine() {
        var count = 0
        var simulation = Simulation(servers: 64) { _ in
            count += 1
            return count % 9 == 0 ? 100 : 1
        }
        simulation.run(for: 20_000) { $0 % 20 < 3 ? 1 : 0 }
        #expect(simulation.refusals.isEmpty)
        #expect(simulation.answers.count > 2_900)
    }

    @Test("a store that takes 300 ms instead of 3 for ten seconds makes calls slow, and none is refused")
    func slowStore() {
        var simulation = Simulation(servers: 64) { (5_000..<15_000).contains($0) ? 300 : 3 }
        simulation.run(for: 20_000, callers: 200)
        #expect(simulation.refusals.isEmpty, "of 200 some always wait, for less than a second")
        #expect(simulation.percentile(1) < 1_400)
    }

    @Test(
        "callers who come one after the other to a store that takes 300 ms are not refused",
        arguments: [80, 160, 240], [0, 300, 1_000, 2_000, 4_000])
    func gradually(callers: Int, within: Int) {
        var random = SystemRandomNumberGenerator()
        var simulation = Simulation(servers: 64) { _ in Int.random(in: 250...350, using: &random) }
        simulation.run(for: 10_000, callers: callers, joiningWithin: within)
        // Of 240 callers 176 wait, and 213 are served in a second.
        #expect(simulation.refusals.isEmpty, "\(simulation.refusals.count)")
    }

    @Test("shedding ends with its cause, though a few callers always wait for longer than its target")
    func outlived() throws {
        // 700 callers are too many for 213 calls a second; 200 are not.
        var simulation = Simulation(servers: 64) { _ in 300 }
        simulation.run(for: 5_000, callers: 700)
        #expect(!simulation.refusals.isEmpty && simulation.state.isShedding)
        simulation.run(for: 10_000, callers: 200)
        let last = try #require(simulation.refusals.last)
        // The next probe is 4 s after the one before at most.
        #expect(last.at < 10_000 && !simulation.state.isShedding, "\(last)")
        #expect(simulation.answered(12_000..<15_000) >= 600)
    }

    @Test("while an overload lasts probes get rare, and cost the calls that are served nothing")
    func probes() {
        // One call a millisecond is served, and two come.
        var simulation = Simulation(servers: 4) { _ in 4 }
        simulation.run(for: 100_000) { _ in 2 }
        #expect(simulation.changes.count == 1, "\(simulation.changes)")
        // Calls wait for longer than the target in a probe only.
        let probes = Set(simulation.refusals.filter { $0.waited > 200 && $0.at > 2_000 }.map(\.at))
        #expect((3...6).contains(probes.count), "\(probes.sorted())")
        #expect(simulation.percentile(0.99) <= 120, "\(simulation.percentile(0.99)) ms")
    }

    @Test("where processors are short a queue that stands is an overload however short it is, until they are not")
    func saturated() {
        // 64 places of 250 ms; 100 callers, of whom 36 always wait.
        var simulation = Simulation(servers: 64) { _ in 250 }
        simulation.run(for: 3_000, callers: 100)
        #expect(simulation.refusals.isEmpty && !simulation.state.isShedding)
        simulation.isSaturated = { _ in true }
        simulation.run(for: 5_000, callers: 100)
        #expect(simulation.state.isShedding && !simulation.state.hasLongQueue)
        #expect(simulation.state.inFlight <= 16)
        // Those that are served have waited for the target at most.
        #expect(simulation.percentile(1, after: 5_300) <= 250 + 100 + 20, "\(simulation.percentile(1, after: 5_300))")
        simulation.isSaturated = { _ in false }
        simulation.run(for: 40, callers: 100)
        #expect(!simulation.state.isShedding && simulation.state.inFlight == 64, "all places at once")
        let refusals = simulation.refusals.count
        simulation.run(for: 3_000, callers: 100)
        #expect(simulation.refusals.count == refusals)
    }

    @Test("a long queue is probed as ever while processors are short, so that shedding ends with its cause")
    func saturatedProbe() {
        var simulation = Simulation(servers: 64) { _ in 300 }
        simulation.run(for: 3_000, callers: 700)
        #expect(simulation.state.hasLongQueue)
        simulation.isSaturated = { $0.hasLongQueue }
        simulation.run(for: 20_000, callers: 60)
        #expect(!simulation.state.isShedding && simulation.refusals.last.map { $0.at < 12_000 } ?? false)
    }

    @Test("a queue of calls that yield to all others, as hashes do, says nothing of processors")
    func yielding() {
        var simulation = Simulation(servers: 64) { _ in 300 }
        simulation.state = ShedderState(.init(inFlightSaturated: nil))
        simulation.isSaturated = { _ in true }
        simulation.run(for: 3_000, callers: 700)
        #expect(simulation.state.isShedding && !simulation.state.hasLongQueue && !simulation.state.isSaturated)
        #expect(simulation.state.inFlight == 64)
    }

    @Test("with a slow store calls are refused only when more wait than are served in a second")
    func slowStoreOverloaded() throws {
        // 64 places of 300 ms are 213 calls a second. 250 come.
        var simulation = Simulation(servers: 64) { $0 < 5_000 ? 3 : 300 }
        simulation.run(for: 15_000) { $0 % 4 == 0 ? 1 : 0 }
        let first = try #require(simulation.refusals.first)
        // Until a second's worth of calls wait, it takes 213 / 37 s.
        #expect(first.at > 10_500, "\(first)")
        #expect(simulation.refusals.count < 500, "\(simulation.refusals.count)")
    }

    @Test("a burst waits, and so does what comes while a service stands still for a moment")
    func burst() {
        var burst = Simulation(servers: 8) { _ in 2 }
        burst.run(for: 3_000) { $0 == 5 ? 3_000 : 0 }
        #expect(burst.refusals.isEmpty && burst.answers.count == 3_000)
        #expect(burst.changes.isEmpty)
        for length in stride(from: 100, to: 1_000, by: 75) {
            for work in [2, 4] {
                var pause = Simulation(servers: 8) { (3_000..<3_000 + length).contains($0) ? nil : work }
                pause.run(for: 9_000) { $0 % 20 < 18 && $0 < 8_000 ? 2 : 0 }
                #expect(pause.refusals.isEmpty && pause.changes.isEmpty, "\(length) ms: \(pause.refusals.count)")
            }
        }
    }

    // MARK: What is

    @Test(
        "of twice the capacity all of the capacity is served, soon, and the rest is refused after a tenth of a second")
    func twice() throws {
        // One call a millisecond is served, and two come.
        var simulation = Simulation(servers: 4) { _ in 4 }
        simulation.run(for: 43_000) { now in (1_000..<41_000).contains(now) ? 2 : now % 2 }
        for second in 1..<41 {
            let answered = simulation.answered(second * 1_000..<(second + 1) * 1_000)
            #expect(answered >= 980, "\(answered) in second \(second)")
        }
        #expect(simulation.percentile(0.99) <= 250, "\(simulation.percentile(0.99)) ms")
        #expect(simulation.percentile(0.95) <= 140, "\(simulation.percentile(0.95)) ms")
        let begin = try #require(simulation.changes.first)
        #expect((1_250..<1_600).contains(begin), "\(begin)")
        #expect(simulation.refusals.allSatisfy { $0.at >= begin })
        // But for the probes.
        let waits = simulation.refusals.filter { $0.at > begin }.map(\.waited).sorted()
        #expect(waits[waits.count * 9 / 10] <= 120 && waits.allSatisfy { $0 <= 500 }, "\(waits.suffix(1))")
        // It begins once, and ends once within a second of the load's end.
        #expect(simulation.changes.count == 2 && simulation.changes[1] < 42_000, "\(simulation.changes)")
        #expect(simulation.refusals.allSatisfy { $0.at < 41_200 })
    }

    @Test("of a little more than the capacity no more is refused than must be", arguments: [1.05, 1.5, 4.0])
    func little(load: Double) {
        var simulation = Simulation(servers: 4) { _ in 4 }
        var offered = 0
        simulation.run(for: 40_000) { now in
            let count = Int(Double(now) * load) - offered
            offered += count
            return count
        }
        #expect(simulation.answered(0..<40_000) >= 39_200, "\(simulation.answers.count)")
        #expect(simulation.refusals.count <= Int(40_000 * (load - 1)))
        guard load >= 1.5 else { return }
        #expect(simulation.changes.count == 1, "\(simulation.changes)")
        #expect(simulation.percentile(0.99, after: 4_000) <= 250, "\(simulation.percentile(0.99, after: 4_000)) ms")
    }

    @Test("callers who would ask for more but have no connections for it are served soon: their calls queue with them")
    func connections() {
        // All 1,000 at once would wait for half a second, and never for longer.
        var simulation = Simulation(servers: 8) { _ in 4 }
        simulation.run(for: 20_000, callers: 1_000)
        #expect(simulation.answers.count >= 39_800, "\(simulation.answers.count)")
        #expect(simulation.percentile(0.99, after: 1_000) <= 150, "\(simulation.percentile(0.99, after: 1_000)) ms")
    }

    @Test("callers who come again at once are no more than that: as many are served as can be")
    func impatient() {
        var simulation = Simulation(servers: 8) { _ in 4 }
        simulation.run(for: 10_000, callers: 4_100)
        #expect(simulation.answers.count >= 19_800, "\(simulation.answers.count)")
    }

    @Test("where nothing is answered at all a call is refused after a second, and not before")
    func stuck() {
        var simulation = Simulation(servers: 1) { $0 < 1_000 ? 1 : nil }
        simulation.run(for: 6_000) { _ in 1 }
        #expect(simulation.refusals.count > 3_500)
        #expect(simulation.refusals.allSatisfy { (1_000...1_020).contains($0.waited) })
        #expect(simulation.changes.isEmpty, "nothing is known of what it can do")
    }

    @Test("a call for which there is no room is refused at once")
    func full() {
        var state = ShedderState<SimulatedCall>(.init(inFlightMax: 1, queuedMax: 2))
        let started = [state.start(), state.start()]
        #expect(started == [true, false])
        let queued = (0..<3).map { _ in state.enqueue(SimulatedCall(), now: start) }
        #expect(queued == [true, true, false])
        let next = state.finish(now: start)
        #expect(next != nil)
        let hasRoom = state.enqueue(SimulatedCall(), now: start)
        #expect(hasRoom)
    }

    // MARK: Who is next

    @Test("the oldest is served first, a caller that left is passed over")
    func order() {
        var state = ShedderState<SimulatedCall>(.init(inFlightMax: 1))
        _ = state.start()
        let calls = (0..<4).map { SimulatedCall(caller: $0) }
        for call in calls { _ = state.enqueue(call, now: start) }
        calls[1].isGone = true
        calls[3].isGone = true
        let callers = (0..<3).map { _ in state.finish(now: start)?.caller }
        #expect(callers == [0, 2, nil])
        #expect(state.inFlight == 0 && !state.needsCheck)
    }

    @Test("where calls wait for a connection, all go on at once, and later ones wait until these have ended")
    func unreachable() {
        var state = ShedderState<SimulatedCall>(.init(inFlightMax: 2))
        _ = state.start()
        _ = state.start()
        for caller in 0..<3 { _ = state.enqueue(SimulatedCall(caller: caller), now: start) }
        let waiting = state.startWaiting(now: start).map(\.caller)
        #expect(waiting == [0, 1, 2])
        state.startUnchecked()
        #expect(state.inFlight == 6)
        _ = state.enqueue(SimulatedCall(caller: 9), now: start)
        let callers = (0..<5).map { _ in state.finish(now: start)?.caller }
        #expect(callers == [nil, nil, nil, nil, 9])
    }
}
