/// What became of a request, in the words of the report.
enum Outcome: Equatable, Sendable {
    /// 2xx within the time-out.
    case accepted
    /// 429.
    case refused(hasRetryAfter: Bool)
    /// Any other status.
    case failed(status: Int)
    case lost, timedOut, notSent

    init(_ ending: Ending) {
        switch ending {
        case .answered(let response):
            switch response.status {
            case 200..<300: self = .accepted
            case 429: self = .refused(hasRetryAfter: response.hasRetryAfter)
            default: self = .failed(status: response.status)
            }
        case .lost: self = .lost
        case .timedOut: self = .timedOut
        case .notSent: self = .notSent
        }
    }
}

/// What became of the requests of one kind in one phase.
struct Figures: Sendable {
    var offered = 0
    var accepted = 0
    var refused = 0
    /// Of the refused, those that said when to come back.
    var refusedWithRetryAfter = 0
    /// Answers with other statuses.
    var statuses: [Int: Int] = [:]
    var lost = 0
    var timedOut = 0
    var notSent = 0

    /// Of the accepted, from the moment they should have been sent.
    var latency = Latencies()
    /// Of the accepted, from the moment they were sent.
    var service = Latencies()
    /// Of the refused, from the moment they should have been sent.
    var refusal = Latencies()

    /// Neither accepted nor refused.
    var failed: Int { statuses.values.reduce(0, +) + lost + timedOut + notSent }
    /// All that ended; those under way are missing.
    var ended: Int { accepted + refused + failed }

    /// - Parameters: nanoseconds from the planned moment, and from the sending.
    mutating func record(_ outcome: Outcome, latency: Int64, service: Int64?) {
        switch outcome {
        case .accepted:
            accepted += 1
            self.latency.record(nanoseconds: latency)
            if let service { self.service.record(nanoseconds: service) }
        case .refused(let hasRetryAfter):
            refused += 1
            if hasRetryAfter { refusedWithRetryAfter += 1 }
            refusal.record(nanoseconds: latency)
        case .failed(let status): statuses[status, default: 0] += 1
        case .lost: lost += 1
        case .timedOut: timedOut += 1
        case .notSent: notSent += 1
        }
    }

    mutating func add(_ other: Figures) {
        offered += other.offered
        accepted += other.accepted
        refused += other.refused
        refusedWithRetryAfter += other.refusedWithRetryAfter
        statuses.merge(other.statuses, uniquingKeysWith: +)
        lost += other.lost
        timedOut += other.timedOut
        notSent += other.notSent
        latency.add(other.latency)
        service.add(other.service)
        refusal.add(other.refusal)
    }

    static func sum(_ list: some Sequence<Figures>) -> Figures {
        list.reduce(into: Figures()) { $0.add($1) }
    }
}
