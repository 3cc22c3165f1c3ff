import Foundation
import TestSupport

/// Texts whose characters are as long as they are, each in a way of its own. What compares, hashes or counts them as
/// characters takes the square of their length.
enum OutsideTexts: String, CaseIterable {
    /// A letter with marks above and below in turn, which have to be sorted before two such texts can be compared.
    case marks
    /// Consonants that a virama joins to one conjunct.
    case virama
    /// People whom zero width joiners make a family.
    case emoji

    /// What the others are compared with.
    static func plain(_ bytes: Int) -> String { String(repeating: "a", count: bytes) }

    /// At most so many bytes, and at least six less.
    func text(_ bytes: Int) -> String {
        let (first, unit) =
            switch self {
            case .marks: ("a", "\u{301}\u{323}")
            case .virama: ("\u{915}", "\u{94d}\u{915}")
            case .emoji: ("\u{1f469}", "\u{200d}\u{1f469}")
            }
        return first + String(repeating: unit, count: max(0, bytes - first.utf8.count) / unit.utf8.count)
    }
}

extension ProcessRun {
    /// The processor time that it has used, all threads together.
    var processorTime: Duration {
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(pid, &clock) == 0, clock_gettime(clock, &time) == 0 else { return .zero }
        return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
    }
}

/// Something that takes a text from outside, and how to send it one.
struct TextPlace: Sendable {
    /// Such as `HTTP header token`.
    var name: String
    /// How long a text may be there, all limits considered.
    var bytes: Int
    /// How often a text is sent to be measured: short ones would not show.
    var times = 1
    /// Sends a text and answers what came back; `nil` for nothing.
    var send: @Sendable (String) async throws -> String?
}

/// What texts cost the programs that take them.
struct TextScale {
    let runs: [ProcessRun]

    /// A text may cost so many times what a plain one of its length does.
    private static let factor = 5
    /// And so much more, for all that the programs do beside.
    private static let floor: Duration = .milliseconds(50)
    /// Measured again where it was too much: others use the machine too.
    private static let tries = 3
    /// The first kind is sent as long or as often as may be, the others this part of it: the square of their length shows
    /// all the same, and the tests take half the time.
    private static let part = 4

    /// What is wrong with a place; empty when nothing is.
    func problems(of place: TextPlace) async throws -> [String] {
        var problems = try await problems(of: place, .marks)
        var place = place
        if place.times > 1 { place.times /= Self.part } else { place.bytes /= Self.part }
        // One is enough to know, and the others would take as long.
        for kind in [OutsideTexts.virama, .emoji] where problems.isEmpty {
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
