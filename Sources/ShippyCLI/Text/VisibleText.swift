/// Escapes for text from outside: a name may contain sequences that clear a terminal, retitle it or hide a line.
extension String {
    /// The text with visible escapes for control characters: `\n`, `\u{1b}`.
    var visible: String {
        guard unicodeScalars.contains(where: \.isUnsafeOnTerminals) else { return self }
        var shown = ""
        for scalar in unicodeScalars {
            guard scalar.isUnsafeOnTerminals else {
                shown.unicodeScalars.append(scalar)
                continue
            }
            switch scalar.value {
            case 0x09: shown += "\\t"
            case 0x0a: shown += "\\n"
            case 0x0d: shown += "\\r"
            default: shown += "\\u{\(String(scalar.value, radix: 16))}"
            }
        }
        return shown
    }

    /// The text, cut after `limit` Unicode scalars and then ending in `…`.
    func shortened(scalarsMax limit: Int) -> String {
        guard utf8.count > limit, unicodeScalars.count > limit else { return self }
        return String(unicodeScalars.prefix(limit)) + "…"
    }

    /// Columns that a terminal uses for the text, which must have no control characters.
    var displayWidth: Int {
        unicodeScalars.reduce(0) { $0 + $1.displayWidth }
    }

    /// The same JSON on one line, with JSON's escapes for control characters.
    ///
    /// The text must be valid JSON and need not be parsed: outside of strings the only control characters are white space,
    /// inside there are none below U+0020.
    var visibleJSON: String {
        var line = ""
        line.reserveCapacity(utf8.count)
        for scalar in unicodeScalars {
            switch scalar.value {
            case 0x09, 0x0a, 0x0d: line += " "
            default:
                guard scalar.isUnsafeOnTerminals else {
                    line.unicodeScalars.append(scalar)
                    continue
                }
                // All of these have at most four digits.
                let digits = String(scalar.value, radix: 16)
                line += "\\u\(String(repeating: "0", count: max(0, 4 - digits.utf8.count)))\(digits)"
            }
        }
        while line.utf8.last == 0x20 { line.unicodeScalars.removeLast() }
        return line
    }
}

extension Unicode.Scalar {
    /// Whether a terminal may interpret it, or reorder the text around it.
    var isUnsafeOnTerminals: Bool {
        switch value {
        case 0x20...0x7e: false
        // Marks, embeddings, overrides and isolates of the bidirectional algorithm (UAX #9).
        case 0x61c, 0x200e, 0x200f, 0x202a...0x202e, 0x2066...0x2069: true
        default:
            switch properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: true
            default: false
            }
        }
    }

    fileprivate var displayWidth: Int {
        if value < 0x300 { return 1 }
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        // The blocks that are wide throughout (UAX #11): Hangul, CJK, full-width forms, emoji.
        switch value {
        case 0x1100...0x115f, 0x2e80...0x303e, 0x3041...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f,
            0xff01...0xff60, 0xffe0...0xffe6, 0x1f300...0x1f64f, 0x1f680...0x1f6ff, 0x1f900...0x1f9ff,
            0x20000...0x3fffd:
            return 2
        default: return 1
        }
    }
}
