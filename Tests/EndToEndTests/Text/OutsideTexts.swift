import Foundation
import TestSupport

/// Texts that may cost more than plain ones. Most are one long character: code that compares, hashes or counts them as
/// characters takes quadratic time.
enum OutsideTexts: String, CaseIterable {
    /// A letter with marks above and below in turn, which must be sorted before such texts can be compared.
    case marks
    /// Consonants joined to one conjunct by viramas.
    case virama
    /// People joined to a family by zero width joiners.
    case emoji
    /// Letters as escapes of JSON.
    case escapes

    /// The text that the others are compared with.
    static func plain(_ bytes: Int) -> String { String(repeating: "a", count: bytes) }

    /// A text of at most `bytes` bytes, and at least `bytes` - 6.
    func text(_ bytes: Int) -> String {
        let (first, unit) =
            switch self {
            case .marks: ("a", "\u{301}\u{323}")
            case .virama: ("\u{915}", "\u{94d}\u{915}")
            case .emoji: ("\u{1f469}", "\u{200d}\u{1f469}")
            case .escapes: ("", #"\u0061"#)
            }
        return first + String(repeating: unit, count: max(0, bytes - first.utf8.count) / unit.utf8.count)
    }
}

extension ProcessRun {
    /// Processor time that the process has used, over all threads.
    var processorTime: Duration {
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(pid, &clock) == 0, clock_gettime(clock, &time) == 0 else { return .zero }
        return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
    }
}

/// A place where a program reads text from outside, and how to send text to it.
struct TextPlace: Sendable {
    /// For instance `HTTP header token`.
    var name: String
    /// Longest text there, within all limits, in bytes.
    var bytes: Int
    /// How many times a text is sent for a measurement: a short one alone would not show.
    var times = 1
    /// Whether the text is a JSON string that is valid only when it is short: its escapes need not be resolved.
    var isShortJSON = false
    /// Sends a text and returns the answer; `nil` when there is none.
    var send: @Sendable (String) async throws -> String?
}

/// The cost of texts in the programs that read them.
struct TextScale {
    let runs: [ProcessRun]

    /// Largest cost of a text, as a multiple of the cost of a plain one of its length.
    private static let factor = 5
    /// Allowance on top of that, for the programs' other work.
    private static let floor: Duration = .milliseconds(50)
    /// Measurements before a problem counts: other processes use the machine too.
    private static let tries = 3
    /// The first kind of text is sent at full length or full count, the others at this part of it: quadratic cost shows
    /// all the same, and the tests take half the time.
    private static let part = 4

    /// The problems of a place; empty when there are none.
    func problems(of place: TextPlace) async throws -> [String] {
        var problems = try await problems(of: place, .marks)
        var place = place
        if place.times > 1 { place.times /= Self.part } else { place.bytes /= Self.part }
        // One problem is enough, and the others would take as long.
        let others: [OutsideTexts] = place.isShortJSON ? [.virama, .emoji, .escapes] : [.virama, .emoji]
        for kind in others where problems.isEmpty {
            problems = try await self.problems(of: place, kind)
        }
        return problems
    }

    private func problems(of place: TextPlace, _ kind: OutsideTexts) async throws -> [String] {
        var problems: [String] = []
        let (plainText, text) = (OutsideTexts.plain(place.bytes), kind.text(place.bytes))
        var plain = try await cost(place, plainText, &problems)
        var cost = try await cost(place, text, &problems)
        for _ in 1..<Self.tries where cost > plain * Self.factor + Self.floor {
            cost = min(cost, try await self.cost(place, text, &problems))
            plain = max(plain, try await self.cost(place, plainText, &problems))
        }
        if cost > plain * Self.factor + Self.floor {
            problems.append(
                "\(place.name): \(place.times) times \(place.bytes) bytes of \(kind) took \(cost), plain ones \(plain)")
        }
        return problems
    }

    private func cost(_ place: TextPlace, _ text: String, _ problems: inout [String]) async throws -> Duration {
        let before = runs.map(\.processorTime).reduce(.zero, +)
        for _ in 0..<place.times {
            if try await place.send(text) == nil { problems.append("\(place.name): no answer") }
        }
        return runs.map(\.processorTime).reduce(.zero, +) - before
    }
}
