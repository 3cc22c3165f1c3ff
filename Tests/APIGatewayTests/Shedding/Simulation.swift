import NIOCore

@testable import APIGateway

/// A call of a ``Simulation``.
final class SimulatedCall: WaitingCall {
    let caller: Int
    /// Milliseconds.
    let arrivedAt: Int
    var isGone = false

    init(caller: Int = 0, arrivedAt: Int = 0) {
        self.caller = caller
        self.arrivedAt = arrivedAt
    }
}

/// A queue before a service, millisecond by millisecond.
struct Simulation {
    struct Refusal {
        let at: Int
        let waited: Int
    }

    struct Answer {
        let at: Int
        /// From the arrival, in milliseconds.
        let took: Int
    }

    var state = ShedderState<SimulatedCall>()
    /// Calls that the service works on at a time; further ones wait there in order.
    var servers: Int
    /// Milliseconds of work for a call that the service begins on at that time; `nil` begins none.
    var work: (_ now: Int) -> Int?

    /// Whether processors are short while a long queue stands, this one or another.
    var isSaturated: (ShedderState<SimulatedCall>) -> Bool = { _ in false }

    private(set) var now = 0
    private(set) var answers: [Answer] = []
    private(set) var refusals: [Refusal] = []
    /// When shedding began and ended, in turn.
    private(set) var changes: [Int] = []
    private var atService: [SimulatedCall] = []
    private var working: [(end: Int, call: SimulatedCall)] = []
    private var ended: [SimulatedCall] = []
    /// Refused calls that are held back, and until when.
    private var paused: [(end: Int, call: SimulatedCall)] = []
    private var callers = 0
    /// As ``RejectionDelay`` does, in milliseconds.
    private static let pause = 50

    init(servers: Int, work: @escaping (Int) -> Int?) {
        self.servers = servers
        self.work = work
    }

    /// - Parameter arrivals: how many calls come in a millisecond.
    mutating func run(for milliseconds: Int, arrivals: (_ now: Int) -> Int) {
        for _ in 0..<milliseconds { step { now, _ in (0..<arrivals(now)).map { _ in SimulatedCall(arrivedAt: now) } } }
    }

    /// So many callers, each of which calls again as soon as its call ended, or was refused and held back for a moment as the
    /// gateway does. Further ones of an earlier run leave when they are answered.
    ///
    /// - Parameter within: milliseconds in which they come, one after the other.
    mutating func run(for milliseconds: Int, callers: Int, joiningWithin within: Int = 0) {
        let begin = now
        for _ in 0..<milliseconds {
            let joined = within == 0 ? callers : min(callers, callers * (now - begin) / within)
            let new = Array(self.callers..<max(self.callers, joined))
            self.callers += new.count
            step { now, ended in
                let again = ended.map(\.caller).filter { $0 < callers }
                return (again + new).map { SimulatedCall(caller: $0, arrivedAt: now) }
            }
        }
        self.callers = callers
    }

    private mutating func step(_ arrivals: (_ now: Int, _ ended: [SimulatedCall]) -> [SimulatedCall]) {
        now += 1
        let instant = NIODeadline.uptimeNanoseconds(1_000_000_000) + .milliseconds(Int64(now))
        let before = ended + paused.filter { $0.end <= now }.map(\.call)
        ended = []
        paused.removeAll { $0.end <= now }
        for done in working.filter({ $0.end <= now }).map(\.call) {
            answers.append(Answer(at: now, took: now - done.arrivedAt))
            ended.append(done)
            if let next = state.finish(now: instant) { atService.append(next) }
        }
        working.removeAll { $0.end <= now }
        for call in arrivals(now, before) {
            if state.start() {
                atService.append(call)
            } else if !state.enqueue(call, now: instant) {
                refuse([call])
            }
        }
        if now % 20 == 0, state.needsCheck {
            atService += state.setSaturated(isSaturated(state), now: instant)
            let was = state.isShedding
            var shed: [SimulatedCall] = []
            state.check(now: instant, into: &shed)
            if state.isShedding != was { changes.append(now) }
            refuse(shed)
        }
        while working.count < servers, !atService.isEmpty, let took = work(now) {
            working.append((now + took, atService.removeFirst()))
        }
    }

    private mutating func refuse(_ calls: [SimulatedCall]) {
        refusals += calls.map { Refusal(at: now, waited: now - $0.arrivedAt) }
        paused += calls.map { (now + Self.pause, $0) }
    }

    /// Answers in that time.
    func answered(_ times: Range<Int>) -> Int { answers.count { times.contains($0.at) } }

    /// - Parameter start: leaves earlier answers out, in milliseconds.
    func percentile(_ share: Double, after start: Int = 0) -> Int {
        let sorted = answers.filter { $0.at > start }.map(\.took).sorted()
        return sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
    }
}
