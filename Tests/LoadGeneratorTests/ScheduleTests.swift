import Testing

@testable import LoadGenerator

@Suite("The schedule of a load")
struct ScheduleTests {
    private func arrivals(
        _ phases: String, mix: Mix = .standard, _ arrivals: Arrivals = .constant, seed: UInt64 = 1
    ) throws -> [Arrival] {
        let phases = try #require(Phases(argument: phases))
        return Array(Schedule(phases: phases, mix: mix, arrivals: arrivals, seed: seed))
    }

    @Test("evenly spaced arrivals come at their moment to the nanosecond, in each phase")
    func constant() throws {
        let list = try arrivals("2s@3,500ms@1000")
        #expect(list.count == 506)
        #expect(
            list.prefix(6).map(\.nanoseconds) == [
                0, 333_333_333, 666_666_666, 1_000_000_000, 1_333_333_333, 1_666_666_666,
            ])
        #expect(list[6...].enumerated().allSatisfy { $1.nanoseconds == 2_000_000_000 + Int64($0) * 1_000_000 })
        #expect(list.prefix(6).allSatisfy { $0.phase == 0 } && list[6...].allSatisfy { $0.phase == 1 })
    }

    @Test("a rate that divides nothing evenly does not drift over an hour")
    func noDrift() throws {
        let list = try arrivals("1h@7")
        #expect(list.count == 25_200)
        #expect(list.last?.nanoseconds == Int64(25_199 * 1e9 / 7.0))
    }

    @Test("evenly spaced arrivals have the exact mix in every stretch of its length")
    func exactMix() throws {
        let list = try arrivals("3s@1000")
        for start in stride(from: 0, to: 3_000, by: 1_000) {
            let stretch = list[start..<(start + 1_000)]
            #expect(stretch.count { $0.kind == .signUp } == 1)
            #expect(stretch.count { $0.kind == .logIn } == 4)
            #expect(stretch.count { $0.kind == .booking } == 195)
            #expect(stretch.count { $0.kind == .listing } == 800)
        }
    }

    @Test("random arrivals are the same for the same seed, others for another, and about as many as planned")
    func random() throws {
        let list = try arrivals("20s@500", .poisson)
        #expect(try list == arrivals("20s@500", .poisson))
        #expect(try list != arrivals("20s@500", .poisson, seed: 2))
        // 10,000 expected, standard deviation 100.
        #expect((9_400...10_600).contains(list.count))
        #expect(zip(list, list.dropFirst()).allSatisfy { $0.nanoseconds <= $1.nanoseconds })
        #expect(list.allSatisfy { $0.nanoseconds < 20_000_000_000 })
        let listings = list.count { $0.kind == .listing }
        #expect((0.77...0.83).contains(Double(listings) / Double(list.count)))
        // Of exponential gaps 63 % are shorter than the mean; evenly spaced ones would have none.
        let short = zip(list, list.dropFirst()).count { $1.nanoseconds - $0.nanoseconds < 2_000_000 }
        #expect((0.60...0.66).contains(Double(short) / Double(list.count)))
    }

    @Test("phases are read with their units")
    func phases() throws {
        let phases = try #require(Phases(argument: "30s@200,1m@800.5,500ms@20"))
        #expect(phases.list.map(\.span.seconds) == [30, 60, 0.5])
        #expect(phases.list.map(\.rate) == [200, 800.5, 20])
    }

    @Test(
        "what is no list of phases is none",
        arguments: [
            "", "30s", "@200", "30s@", "30s@0", "30s@-1", "-3s@10", "30s@200,", "30s@200;10s@2", "30x@200", "nans@1",
            "infs@1", "1s@nan", "1s@inf", "30s@200@2", "99999h@1", "24h@100000", "1s@1000000",
        ])
    func notPhases(text: String) {
        #expect(Phases(argument: text) == nil)
    }

    @Test(
        "what is no mix is none",
        arguments: [
            "", "booking", "booking=", "booking=-1", "booking=0", "sailing=1", "booking=1,booking=2", "listing=1,",
        ])
    func notMix(text: String) {
        #expect(Mix(argument: text) == nil)
    }

    @Test("a mix is written as it is read")
    func mixText() throws {
        #expect("\(try #require(Mix(argument: "listing=70,login=2")))" == "login=2,listing=70")
    }
}
