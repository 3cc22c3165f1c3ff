/// What a command line says: flags as `--name value` or `--name=value`, of which the last counts, and switches.
struct Arguments {
    /// By the flag's name; "true" for a switch.
    private(set) var values: [String: String] = [:]
    /// Whether `--help` was among them; then mistakes around it don't matter.
    private(set) var asksHelp = false

    /// - Throws: what can't be used, in one line.
    init<Target>(_ words: [String], _ settings: [Setting<Target>]) throws(ConfigurationError) {
        var unknown: [String] = []
        var surplus: [String] = []
        var rest = words[...]
        while let word = rest.popFirst() {
            if word == "-h" || word == "--help" {
                asksHelp = true
                return
            }
            if word == "--" {
                surplus += rest
                break
            }
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            if !Self.isFlag(word) {
                surplus.append(word)
            } else if let setting = settings.first(where: { $0.flag.map { "--\($0)" } == parts[0] }),
                let flag = setting.flag
            {
                values[flag] = try Self.value(of: setting, parts, &rest)
            } else {
                unknown.append(parts[0])
            }
        }
        if let flag = unknown.first { throw Self.unknown(flag, settings.compactMap(\.flag) + ["help"]) }
        let quoted = surplus.map { "'\($0)'" }.joined(separator: ", ")
        switch surplus.count {
        case 0: return
        case 1: throw Self.complaint("Unexpected argument \(quoted)")
        default: throw Self.complaint("\(surplus.count) unexpected arguments: \(quoted)")
        }
    }

    private static func isFlag(_ word: String) -> Bool { word.hasPrefix("-") && word != "-" }

    /// - Parameters:
    ///   - parts: the flag's word, cut at its `=`.
    ///   - rest: the words behind it, of which the first may be the value.
    private static func value<Target>(
        of setting: Setting<Target>, _ parts: [String], _ rest: inout ArraySlice<String>
    ) throws(ConfigurationError) -> String {
        guard let valueName = setting.valueName else {
            if parts.count == 1 || parts[1].isEmpty { return "true" }
            throw complaint("The option '\(parts[0])' does not take any value, but '\(parts[1])' was specified.")
        }
        if parts.count == 2, !parts[1].isEmpty { return parts[1] }
        if let next = rest.first, !isFlag(next) { return rest.removeFirst() }
        throw complaint("Missing value for '\(parts[0]) <\(valueName)>'")
    }

    private static func unknown(_ flag: String, _ known: [String]) -> ConfigurationError {
        let near = known.map { (flag: "--\($0)", distance: distance("--\($0)", flag)) }
            .min { $0.distance < $1.distance }
        guard let near, near.distance < 4 else { return complaint("Unknown option '\(flag)'") }
        return complaint("Unknown option '\(flag)'. Did you mean '\(near.flag)'?")
    }

    private static func complaint(_ text: String) -> ConfigurationError { ConfigurationError("\(text); see --help") }

    /// Levenshtein's: how many letters to insert, remove or replace to make one text the other.
    private static func distance(_ one: String, _ other: String) -> Int {
        var row = Array(0...other.utf8.count)
        for (index, letter) in one.utf8.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for (column, otherLetter) in other.utf8.enumerated() {
                let replaced = diagonal + (letter == otherLetter ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, diagonal + 1, row[column] + 1)
            }
        }
        return row[other.utf8.count]
    }
}
