import NIOCore
import Testing

@testable import RPC

/// Calls of a made-up service, on a made-up clock.
private struct Trial {
    var limit: ConcurrencyLimit
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    private var made = 0

    init(floor: Int = 4, max: Int = 64) {
        var bounds = ConcurrencyLimit.Bounds()
        bounds.floor = floor
        bounds.max = max
        limit = ConcurrencyLimit(bounds)
    }

    /// One window in which `offered` calls come at a time, and most of those let in take `milliseconds`.
    /// - Returns: calls let in at a time.
    @discardableResult
    mutating func window(_ offered: Int, milliseconds: Double, _ outcome: ConcurrencyLimit.Outcome = .answered) -> Int {
        var admitted = 0
        for _ in 0..<4 {
            admitted = (0..<offered).count { _ in limit.admit() }
            now = now + .milliseconds(30)
            for _ in 0..<admitted {
                // A few have much more to do.
                made += 1
                let factor = made % 20 == 7 ? 30.0 : 1.0
                _ = limit.ended(nanoseconds: Int64(milliseconds * factor * 1_000_000), outcome, now: now)
            }
        }
        return admitted
    }
}

@Suite("The limit on calls in flight") struct ConcurrencyLimitTests {
    @Test("without a sign of load none is refused, however many there are at a time")
    func noLoad() {
        var trial = Trial()
        for _ in 0..<20 { #expect(trial.window(60, milliseconds: 1) == 60) }
        #expect(trial.limit.inFlight == 0)
    }

    @Test("when more than a few take much longer than without load, fewer are let in, but never less than the floor")
    func decreases() {
        var trial = Trial()
        trial.window(4, milliseconds: 1)
        var admitted = 60
        for _ in 0..<40 { admitted = trial.window(60, milliseconds: 10 * Double(admitted)) }
        #expect((4...8).contains(admitted), "\(admitted)")
        #expect(trial.limit.inFlight == 0)
    }

    @Test("it settles where calls take a few times what they take without load")
    func settles() {
        var trial = Trial()
        trial.window(4, milliseconds: 2)
        // A service that does one call in 2 ms: with n in flight the quickest takes 2n ms.
        for _ in 0..<200 { trial.window(60, milliseconds: 2 * Double(min(60, trial.limit.allowed))) }
        #expect((4...16).contains(trial.limit.allowed), "\(trial.limit.allowed)")
    }

    @Test("a long overload does not become what is normal")
    func remembersBaseline() {
        var trial = Trial()
        trial.window(4, milliseconds: 1)
        let before = trial.limit.baseline
        for _ in 0..<6_000 { trial.window(60, milliseconds: 3 * Double(min(60, trial.limit.allowed))) }
        #expect(trial.limit.baseline < before * 20, "\(before) \(trial.limit.baseline)")
        #expect(trial.limit.allowed <= 16)
    }

    @Test("after the overload all are let in again within two dozen windows")
    func recovers() {
        var trial = Trial()
        trial.window(4, milliseconds: 1)
        for _ in 0..<50 { trial.window(60, milliseconds: 4 * Double(min(60, trial.limit.allowed))) }
        #expect(trial.limit.allowed < 8)
        var windows = 0
        while trial.window(60, milliseconds: 1) < 60, windows < 100 { windows += 1 }
        #expect(windows <= 24, "\(windows)")
    }

    @Test("a service that became slower for good is learned to be so when there is no load")
    func learns() {
        var trial = Trial()
        trial.window(4, milliseconds: 1)
        for _ in 0..<200 { trial.window(4, milliseconds: 20) }
        for _ in 0..<20 { #expect(trial.window(50, milliseconds: 30) == 50) }
    }

    @Test("calls that fail at once are no sign that there is no load, and callers' short deadlines none that there is")
    func outcomes() {
        var trial = Trial()
        trial.window(4, milliseconds: 5)
        let known = trial.limit.baseline
        trial.window(60, milliseconds: 0.01, .other)
        trial.window(60, milliseconds: 0.1, .late)
        #expect(trial.limit.baseline == known && trial.limit.allowed == 64)
        for _ in 0..<6 { trial.window(60, milliseconds: 900, .late) }
        #expect(trial.limit.allowed < 64)
    }
}

@Suite("The time of a loop's turn") struct TurnBudgetTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    /// A turn in which so many calls come, each after `microseconds`.
    /// - Returns: calls let in.
    private func turn(_ budget: inout TurnBudget, _ now: inout NIODeadline, calls: Int, microseconds: Int64) -> Int {
        var admitted = 0
        var isMeasured = false
        for _ in 0..<calls {
            switch budget.admit(now) {
            case .admittedFirst:
                isMeasured = true
                admitted += 1
                now = now + .microseconds(microseconds)
            case .admitted:
                admitted += 1
                now = now + .microseconds(microseconds)
            case .refused: now = now + .microseconds(microseconds / 10)
            }
        }
        if isMeasured { budget.ended(now) }
        now = now + .microseconds(10)
        return admitted
    }

    @Test("short turns refuse nothing, and neither does a long one now and then")
    func normal() {
        var budget = TurnBudget()
        var now = start
        for round in 0..<200 {
            let calls = round % 10 == 0 ? 1_000 : 20
            #expect(turn(&budget, &now, calls: calls, microseconds: 50) == calls)
        }
    }

    @Test("turns that have been too long for a while let in what fits, and the first ones in any case")
    func overload() {
        var budget = TurnBudget()
        var now = start
        for _ in 0..<10 { _ = turn(&budget, &now, calls: 1_000, microseconds: 50) }
        let admitted = turn(&budget, &now, calls: 1_000, microseconds: 50)
        #expect((90...110).contains(admitted), "\(admitted)")
        for _ in 0..<10 { _ = turn(&budget, &now, calls: 100, microseconds: 20_000) }
        #expect(turn(&budget, &now, calls: 100, microseconds: 20_000) == TurnBudget.callsMin)
    }

    @Test("a long turn before a pause is forgotten: nobody knows how long turns were meanwhile")
    func pause() {
        var budget = TurnBudget()
        var now = start
        for _ in 0..<5 {
            #expect(turn(&budget, &now, calls: 1_000, microseconds: 50) == 1_000)
            now = now + .seconds(60)
        }
    }

    @Test("one turn within its time ends it")
    func recovers() {
        var budget = TurnBudget()
        var now = start
        for _ in 0..<20 { _ = turn(&budget, &now, calls: 1_000, microseconds: 50) }
        _ = turn(&budget, &now, calls: 10, microseconds: 50)
        #expect(turn(&budget, &now, calls: 1_000, microseconds: 50) == 1_000)
    }
}
