import ArgumentParser
import Glibc

/// How requests follow each other.
enum Arrivals: String, CaseIterable, Codable, Sendable, ExpressibleByArgument {
    /// Evenly spaced, and the mix exact: the same load each time.
    case constant
    /// As from many people who know nothing of each other: now and then several at once.
    case poisson
}

/// One request that is to be sent.
struct Arrival: Equatable, Sendable {
    /// Nanoseconds from the begin of the run.
    var nanoseconds: Int64
    var kind: Kind
    /// Index of its phase.
    var phase: Int
}

/// When each request is to be sent, and what it asks for. Made from the flags alone: no answer has a say in it.
struct Schedule: Sequence, IteratorProtocol, Sendable {
    private let phases: [Phase]
    private let mix: Mix
    private let arrivals: Arrivals
    private var random: SplitMix64
    /// How much each kind is behind its share (see ``evenKind()``).
    private var credit: [Int]

    private var phase = 0
    private var phaseBegan: Int64 = 0
    private var sentInPhase = 0
    /// Nanoseconds from the begin of the phase to the one before, for random gaps.
    private var last = 0.0

    init(phases: Phases, mix: Mix, arrivals: Arrivals, seed: UInt64) {
        self.phases = phases.list
        self.mix = mix
        self.arrivals = arrivals
        random = SplitMix64(state: seed)
        credit = [Int](repeating: 0, count: mix.weights.count)
    }

    mutating func next() -> Arrival? {
        while phase < phases.count {
            if let offset = nextInPhase(phases[phase]) {
                sentInPhase += 1
                let kind = arrivals == .constant ? evenKind() : randomKind()
                return Arrival(nanoseconds: phaseBegan + offset, kind: kind, phase: phase)
            }
            phaseBegan += phases[phase].span.nanoseconds
            phase += 1
            sentInPhase = 0
            last = 0
        }
        return nil
    }

    private mutating func nextInPhase(_ phase: Phase) -> Int64? {
        switch arrivals {
        case .constant:
            // From the count, so that no rounding adds up.
            return sentInPhase < phase.count ? Int64(Double(sentInPhase) * 1e9 / phase.rate) : nil
        case .poisson:
            last += random.nextExponential() * 1e9 / phase.rate
            return last < Double(phase.span.nanoseconds) ? Int64(last) : nil
        }
    }

    /// Each kind in turn by its weight, the one that is furthest behind first: every stretch has its share of each.
    private mutating func evenKind() -> Kind {
        var best = Kind.signUp
        for kind in Kind.allCases {
            credit[kind.index] += mix.weights[kind.index]
            if credit[kind.index] > credit[best.index] { best = kind }
        }
        credit[best.index] -= mix.total
        return best
    }

    private mutating func randomKind() -> Kind {
        var left = Int(random.next() % UInt64(mix.total))
        for kind in Kind.allCases {
            left -= mix.weights[kind.index]
            if left < 0 { return kind }
        }
        return .listing
    }
}

/// Small, fast, and the same for the same seed on every machine. Not for secrets.
struct SplitMix64: RandomNumberGenerator, Sendable {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

extension SplitMix64 {
    /// Exponentially distributed with mean 1: the gap between callers who know nothing of each other.
    mutating func nextExponential() -> Double {
        // Never 0, whose logarithm is no number.
        -log(Double((next() >> 11) + 1) / 9_007_199_254_740_992)
    }
}
