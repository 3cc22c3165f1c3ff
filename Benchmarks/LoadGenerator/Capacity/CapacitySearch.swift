/// What one step of the search saw.
struct CapacityStep: Codable, Equatable, Sendable {
    /// Requests a second that were asked for.
    var rate: Double
    /// Requests a second that were planned in fact, and accepted within the time-out.
    var offeredRate: Double
    var goodput: Double
    /// Of the accepted; `nil` when there were none.
    var p99Milliseconds: Double?
    var kinds: [KindStep]
    /// Why the rate did not hold; `nil` when it did.
    var failure: String?

    /// The same for one kind.
    struct KindStep: Codable, Equatable, Sendable {
        var kind: Kind
        var offered: Int
        var accepted: Int
        var p90Milliseconds: Double?
    }

    init(rate: Double, offeredRate: Double, goodput: Double, p99Milliseconds: Double?, kinds: [KindStep] = []) {
        self.rate = rate
        self.offeredRate = offeredRate
        self.goodput = goodput
        self.p99Milliseconds = p99Milliseconds
        self.kinds = kinds
    }
}

/// Looks for the highest rate that a system keeps up with: doubles it until it does not hold, then halves the gap.
///
/// A rate that does not hold gets a second chance: other work on the machine looks like overload for a moment. Holds no
/// clock and sends nothing: it says which rate comes next, and hears what became of it.
struct CapacitySearch: Sendable {
    /// Of what is offered, accepted within the time-out.
    static let goodputShare = 0.99
    /// Of each kind: a few sign-ups that fail are lost among the rest, and still the system does not keep up.
    static let kindShare = 0.95
    /// Highest p90 of a kind that holds, in milliseconds, or three times that of the first step where this is more, as for
    /// log-ins beside busy programs. Calls that wait for longer are accepted as long as a step lasts, and their queue is
    /// not as long as it will be: the system does not keep up with them.
    static let kindP90Milliseconds = 1_000.0
    /// The gap at which the search ends, as a share of the rate that held.
    static let precision = 0.05
    /// However the machine behaves, it ends.
    static let stepsMax = 60

    private(set) var steps: [CapacityStep] = []
    /// Highest p99 that holds, in milliseconds.
    let boundMilliseconds: Double
    /// Highest rate that held.
    private(set) var held: Double?
    private var broke: Double?
    private var isSecondChance = false
    /// The rate to measure; `nil` when the search is over.
    private(set) var next: Double?
    private let rateMax: Double

    /// - Parameters:
    ///   - startRate: of the first step, which shows the system unloaded.
    ///   - boundMilliseconds: highest p99 that holds.
    init(startRate: Double, boundMilliseconds: Double, rateMax: Double = Phase.rateMax) {
        next = startRate
        self.boundMilliseconds = boundMilliseconds
        self.rateMax = rateMax
    }

    mutating func record(_ step: CapacityStep) {
        guard let rate = next else { return }
        var step = step
        step.failure = failure(step)
        steps.append(step)
        if step.failure == nil {
            held = max(held ?? 0, rate)
        } else if !isSecondChance, steps.count < Self.stepsMax {
            isSecondChance = true
            return
        } else {
            broke = min(broke ?? .infinity, rate)
        }
        isSecondChance = false
        next = steps.count < Self.stepsMax ? following(rate) : nil
    }

    private func failure(_ step: CapacityStep) -> String? {
        if step.goodput < Self.goodputShare * step.offeredRate {
            return "goodput \(Text.percent(step.goodput / max(step.offeredRate, 0.001)))"
        }
        if let p99 = step.p99Milliseconds, p99 > boundMilliseconds {
            return "p99 \(Text.milliseconds(p99)) ms"
        }
        return step.kinds.lazy.compactMap { failure($0) }.first
    }

    private func failure(_ kind: CapacityStep.KindStep) -> String? {
        // One may always go wrong.
        let pardoned = max(1, Int(Double(kind.offered) * (1 - Self.kindShare)))
        if kind.offered - kind.accepted > pardoned {
            return "\(kind.kind.rawValue): \(kind.accepted) of \(kind.offered) accepted"
        }
        let unloaded = steps.first?.kinds.first { $0.kind == kind.kind }?.p90Milliseconds
        if let p90 = kind.p90Milliseconds, p90 > max(Self.kindP90Milliseconds, 3 * (unloaded ?? p90)) {
            return "\(kind.kind.rawValue): p90 \(Text.milliseconds(p90)) ms"
        }
        return nil
    }

    private func following(_ rate: Double) -> Double? {
        guard let held else { return nil }
        guard let broke else { return rate < rateMax ? min(rate * 2, rateMax) : nil }
        return broke - held > held * Self.precision ? (held + broke) / 2 : nil
    }
}

/// What the search found.
struct CapacityReport: Codable {
    var unloadedRate: Double
    var unloadedP99Milliseconds: Double?
    var boundMilliseconds: Double
    /// Highest rate that held; 0 when not even the first did.
    var capacity: Double
    /// Whether the search was ended before its time: the capacity is at least what is told.
    var isInterrupted: Bool
    /// The most that was accepted within the time-out in any step, a second, and the rate at which that was.
    var highestGoodput: Double
    var highestGoodputRate: Double
    var steps: [CapacityStep]

    init(_ search: CapacitySearch, isInterrupted: Bool = false) {
        self.isInterrupted = isInterrupted
        steps = search.steps
        unloadedRate = steps.first?.rate ?? 0
        unloadedP99Milliseconds = steps.first?.p99Milliseconds
        boundMilliseconds = search.boundMilliseconds
        capacity = search.held ?? 0
        let best = steps.max { $0.goodput < $1.goodput }
        highestGoodput = best?.goodput ?? 0
        highestGoodputRate = best?.rate ?? 0
    }

    var lines: [String] {
        let rate = "\(Text.number(capacity, 0))/s"
        let found = isInterrupted ? "at least \(rate) (the search was interrupted)" : rate
        let all = Text.percent(CapacitySearch.goodputShare)
        let each = Text.percent(CapacitySearch.kindShare)
        return [
            "capacity: \(found), the highest rate of which \(all) of all and \(each) of each kind were accepted, with "
                + "a p99 of at most \(Text.milliseconds(boundMilliseconds)) ms, and a p90 of each kind of at most "
                + "\(Text.milliseconds(CapacitySearch.kindP90Milliseconds)) ms or three times the unloaded one",
            "unloaded: p99 \(Text.milliseconds(unloadedP99Milliseconds)) ms at \(Text.number(unloadedRate, 0))/s",
            "highest goodput: \(Text.number(highestGoodput, 0))/s, at \(Text.number(highestGoodputRate, 0))/s offered",
        ]
    }
}
