import ArgumentParser

/// A time with a unit, as in flags: `30s`, `500ms`, `2m`; a bare number is seconds.
struct Span: Equatable, Sendable, ExpressibleByArgument {
    /// Longer than any run here means something.
    static let secondsMax = 86_400.0

    /// Above 0.
    let seconds: Double

    init(seconds: Double) {
        self.seconds = seconds
    }

    init?(argument: String) {
        let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("", 1.0)]
        guard let (suffix, factor) = units.first(where: { argument.hasSuffix($0.0) }),
            let number = Double(argument.dropLast(suffix.count)), number > 0, number * factor <= Self.secondsMax
        else { return nil }
        seconds = number * factor
    }

    var nanoseconds: Int64 { Int64((seconds * 1e9).rounded()) }
    var defaultValueDescription: String { Text.number(seconds) + "s" }
}

/// A time at one rate.
struct Phase: Equatable, Sendable {
    /// More in a second than one thread can send and watch.
    static let rateMax = 100_000.0

    var span: Span
    /// Requests a second.
    var rate: Double

    /// How many requests it has when they are evenly spaced.
    var count: Int { Int((span.seconds * rate).rounded()) }
}

/// One phase after the other.
struct Phases: Equatable, Sendable, ExpressibleByArgument {
    /// More than a plot can show apart.
    static let countMax = 32
    /// For each request its latency is kept, 4 bytes.
    static let requestsMax = 20_000_000

    let list: [Phase]

    /// Nothing when there are too many of them, or too many requests in them.
    init?(_ list: [Phase]) {
        guard !list.isEmpty, list.count <= Self.countMax,
            list.reduce(0, { $0 + $1.span.seconds * $1.rate }) <= Double(Self.requestsMax)
        else { return nil }
        self.list = list
    }

    /// - Parameter argument: `30s@200,60s@800,30s@200`.
    init?(argument: String) {
        var list: [Phase] = []
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            let words = part.split(separator: "@", omittingEmptySubsequences: false)
            guard words.count == 2, let span = Span(argument: String(words[0])), let rate = Double(words[1]),
                rate > 0, rate <= Phase.rateMax
            else { return nil }
            list.append(Phase(span: span, rate: rate))
        }
        self.init(list)
    }

    var seconds: Double { list.reduce(0) { $0 + $1.span.seconds } }
}
