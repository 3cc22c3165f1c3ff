import ArgumentParser

/// What a request asks for. The raw value is the word for it in flags, reports and the plot.
enum Kind: String, CaseIterable, Codable, Sendable {
    case signUp = "signup"
    case logIn = "login"
    case booking
    case listing

    /// Its place in tables that have one entry for each kind.
    var index: Int {
        switch self {
        case .signUp: 0
        case .logIn: 1
        case .booking: 2
        case .listing: 3
        }
    }
}

/// How often each kind comes.
struct Mix: Equatable, Sendable, ExpressibleByArgument {
    /// A weight far above this says nothing more about a mix, and sums stay far from overflowing.
    static let weightMax = 1_000_000

    /// A sign-up or a log-in costs about 50 ms of processor time (bcrypt), a booking or a listing about 0.1 ms, so their
    /// share decides what a machine carries. Tokens last for three days: a person logs in rarely. With 1 in 200 the
    /// hashes are still about two thirds of all work, and the 99th percentile is one of bookings and listings.
    static let standard = Mix(weights: [1, 4, 195, 800])

    /// By ``Kind/index``; one at least is above 0.
    let weights: [Int]

    private init(weights: [Int]) {
        self.weights = weights
    }

    /// - Parameter argument: `signup=1,login=4`; what is not named does not come.
    init?(argument: String) {
        var weights = [Int](repeating: 0, count: Kind.allCases.count)
        var seen: Set<Kind> = []
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            let words = part.split(separator: "=", omittingEmptySubsequences: false)
            guard words.count == 2, let kind = Kind(rawValue: String(words[0])), seen.insert(kind).inserted,
                let weight = Int(words[1]), (0...Self.weightMax).contains(weight)
            else { return nil }
            weights[kind.index] = weight
        }
        guard weights.contains(where: { $0 > 0 }) else { return nil }
        self.weights = weights
    }

    var total: Int { weights.reduce(0, +) }

    var defaultValueDescription: String { description }
}

extension Mix: CustomStringConvertible {
    var description: String {
        Kind.allCases.filter { weights[$0.index] > 0 }.map { "\($0.rawValue)=\(weights[$0.index])" }
            .joined(separator: ",")
    }
}
