import Foundation
import TestSupport
import Testing

@testable import LoadGenerator

@Suite("The search for the capacity", .serialized)
struct CapacityTests {
    /// Searches a system that keeps up with so many requests a second, no more.
    private func search(
        capacity: Double, startRate: Double = 50, boundMilliseconds: Double = 250,
        step: (Double, Int) -> CapacityStep
    ) -> CapacitySearch {
        var search = CapacitySearch(startRate: startRate, boundMilliseconds: boundMilliseconds)
        while let rate = search.next { search.record(step(rate, search.steps.count)) }
        return search
    }

    private func step(_ rate: Double, goodput: Double, p99: Double = 2) -> CapacityStep {
        CapacityStep(rate: rate, offeredRate: rate, goodput: goodput, p99Milliseconds: p99)
    }

    @Test("the capacity is found to a twentieth, wherever it is", arguments: [60.0, 75, 99, 130, 799, 801, 4_321])
    func precision(capacity: Double) throws {
        let search = search(capacity: capacity) { rate, _ in step(rate, goodput: min(rate, capacity)) }
        let held = try #require(search.held)
        // A hundredth may be lost before a rate counts as not held.
        #expect(held <= capacity * 1.011 && held > capacity * 0.95)
        #expect(search.steps.count < 30)
    }

    @Test("a rate whose answers come too late does not hold")
    func latency() throws {
        let search = search(capacity: 0) { rate, _ in step(rate, goodput: rate, p99: rate > 500 ? 251 : 249) }
        #expect(try #require(search.held) <= 500)
        #expect(try #require(search.held) > 475)
        #expect(search.steps.contains { $0.failure == "p99 251 ms" })
    }

    @Test("one bad step is forgiven, two of the same rate are not")
    func secondChance() throws {
        let forgiven = search(capacity: 0) { rate, number in
            step(rate, goodput: number == 1 ? rate / 2 : min(rate, 400))
        }
        #expect(try #require(forgiven.held) > 380)
        #expect(forgiven.steps[1].rate == forgiven.steps[2].rate)
        let not = search(capacity: 0) { rate, number in
            step(rate, goodput: number == 1 || number == 2 ? rate / 2 : min(rate, 400))
        }
        #expect(try #require(not.held) < 100)
    }

    @Test("a system that can't carry even the first rate has no capacity, and the search ends")
    func noCapacity() {
        let search = search(capacity: 0) { rate, _ in step(rate, goodput: 0) }
        #expect(search.held == nil)
        #expect(search.steps.count == 2)
        #expect(CapacityReport(search).capacity == 0)
    }

    @Test("a kind that the system gives up is not hidden by the many others")
    func kinds() throws {
        let search = search(capacity: 0) { rate, _ in
            let logIns = Int(rate / 10)
            var step = step(rate, goodput: rate * 0.995)
            step.kinds = [
                .init(kind: .logIn, offered: logIns, accepted: min(logIns, 40), p90Milliseconds: 60),
                .init(kind: .listing, offered: Int(rate), accepted: Int(rate), p90Milliseconds: 1),
            ]
            return step
        }
        let held = try #require(search.held)
        #expect(held > 380 && held <= 430)
        #expect(search.steps.contains { $0.failure?.hasPrefix("login: 40 of") == true })
    }

    @Test("a rate whose log-ins queue for longer than a step shows does not hold")
    func queues() throws {
        let search = search(capacity: 0) { rate, _ in
            var step = step(rate, goodput: rate)
            step.kinds = [
                .init(
                    kind: .logIn, offered: 20, accepted: 20, p90Milliseconds: rate <= 50 ? 60 : rate > 500 ? 1_001 : 999
                )
            ]
            return step
        }
        let held = try #require(search.held)
        #expect(held > 475 && held <= 500)
        #expect(search.steps.contains { $0.failure == "login: p90 1001 ms" }, "\(search.steps.map(\.failure))")
    }

    @Test("log-ins that take long without load may take three times as long under it")
    func slowWithoutLoad() throws {
        let search = search(capacity: 0) { rate, _ in
            var step = step(rate, goodput: rate)
            step.kinds = [.init(kind: .logIn, offered: 20, accepted: 20, p90Milliseconds: 1_100 + rate)]
            return step
        }
        let held = try #require(search.held)
        // 3 × 1,150 ms
        #expect(held > 2_230 && held <= 2_350)
    }

    @Test("a search that was interrupted says that there may be more")
    func interrupted() {
        let search = search(capacity: 0) { rate, _ in step(rate, goodput: min(rate, 400)) }
        let report = CapacityReport(search, isInterrupted: true)
        #expect(report.isInterrupted && report.lines[0].hasPrefix("capacity: at least "))
        #expect(report.lines[0].contains("99 % of all and 95 % of each kind were accepted"), "\(report.lines)")
        #expect(!CapacityReport(search).isInterrupted && !CapacityReport(search).lines[0].contains("at least"))
    }

    @Test("a noisy machine does not keep the search going for ever")
    func noise() {
        var random = SplitMix64(state: 7)
        let search = search(capacity: 0) { rate, _ in step(rate, goodput: random.next() % 2 == 0 ? rate : 0) }
        #expect(search.steps.count <= CapacitySearch.stepsMax)
    }

    @Test("the program finds the capacity of a server whose limit is known")
    func realServer() async throws {
        // 2.5 ms each: 400 a second.
        let behaviour = FakeGateway.Behaviour(cost: .microseconds(2_500), waitMax: .milliseconds(40))
        try await FakeGateway.with(behaviour) { gateway in
            let folder = try TemporaryFolder()
            let run = try ProcessRun(
                ProcessRun.product("load-generator"),
                [
                    "--url", gateway.address, "--find-capacity", "--step", "700ms", "--start-rate", "200",
                    "--latency-bound",
                    "1s", "--mix", "booking=1,listing=1", "--quiet", "--json", folder.file("c.json"), "--plot",
                    folder.file("c.svg"),
                ])
            let status = try await run.status(within: .seconds(120))
            #expect(status == 0, "\(run.errors)")
            let json = try Data(contentsOf: URL(fileURLWithPath: folder.file("c.json")))
            let report = try JSONDecoder().decode(Report.self, from: json)
            let capacity = try #require(report.capacity)
            #expect(capacity.capacity > 250 && capacity.capacity < 450, "\(capacity)")
            #expect(run.output.contains("capacity: "))
        }
    }
}
