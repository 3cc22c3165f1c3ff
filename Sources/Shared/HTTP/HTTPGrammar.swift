import RPC

/// The grammar of HTTP's messages, on bytes (RFC 9110 section 5.6, RFC 9112).
extension UnsafeRawBufferPointer {
    /// `token`: methods, names of fields, and others.
    var isToken: Bool { !isEmpty && allSatisfy { $0.isTokenByte } }

    /// `field-value`: no control characters but tabs, so that nothing in it ends its line (RFC 9110 section 5.5).
    var isFieldValue: Bool { allSatisfy { $0.isFieldByte } }

    /// The bytes without the spaces and tabs around them (OWS).
    var trimmedOfBlanks: UnsafeRawBufferPointer {
        var start = 0
        var end = count
        while start < end, self[start].isBlank { start += 1 }
        while end > start, self[end - 1].isBlank { end -= 1 }
        return UnsafeRawBufferPointer(rebasing: self[start..<end])
    }

    /// Whether bytes without control characters spell a word, of lower-case letters, digits and hyphens, in any case.
    func isSameWord(as word: StaticString) -> Bool {
        guard count == word.utf8CodeUnitCount else { return false }
        // With that bit set, only a letter's two cases become a lower-case letter, and only control characters become
        // another digit or hyphen.
        for at in 0..<count where self[at] | 0x20 != word.utf8Start[at] { return false }
        return true
    }

    /// Whether a list of words with commas between them contains a word.
    func listContains(_ word: StaticString) -> Bool {
        var start = 0
        while start <= count {
            var end = start
            while end < count, self[end] != UInt8(ascii: ",") { end += 1 }
            if UnsafeRawBufferPointer(rebasing: self[start..<end]).trimmedOfBlanks.isSameWord(as: word) { return true }
            start = end + 1
        }
        return false
    }

    /// The bytes as a decimal number, `Int.max` for a larger one (RFC 9110 section 8.6); `nil` for anything else.
    var contentLength: Int? {
        guard !isEmpty else { return nil }
        var number = 0
        for byte in self {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            let (shifted, isTooLarge) = number.multipliedReportingOverflow(by: 10)
            let (sum, isTooLargeByOne) = shifted.addingReportingOverflow(Int(byte - UInt8(ascii: "0")))
            number = isTooLarge || isTooLargeByOne ? Int.max : sum
        }
        return number
    }

    /// Whether the bytes are `*( ";" token [ "=" ( token / quoted-string ) ] )` (RFC 9112 section 7.1.1). The blanks
    /// that a recipient may accept there are rejected.
    var isChunkExtensions: Bool {
        var at = 0
        func skipToken() -> Bool {
            let start = at
            while at < count, self[at].isTokenByte { at += 1 }
            return at > start
        }
        while at < count {
            guard self[at] == UInt8(ascii: ";") else { return false }
            at += 1
            guard skipToken() else { return false }
            guard at < count, self[at] == UInt8(ascii: "=") else { continue }
            at += 1
            guard at < count, self[at] == UInt8(ascii: "\"") else {
                guard skipToken() else { return false }
                continue
            }
            at += 1
            while at < count, self[at] != UInt8(ascii: "\"") {
                if self[at] == UInt8(ascii: "\\") { at += 1 }
                guard at < count, self[at].isFieldByte else { return false }
                at += 1
            }
            guard at < count else { return false }
            at += 1
        }
        return true
    }
}

extension UInt8 {
    /// `tchar`.
    var isTokenByte: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "!"), UInt8(ascii: "#")...UInt8(ascii: "'"),
            UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^")...UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// What a field's value may contain: visible characters, `obs-text`, space and tab.
    var isFieldByte: Bool { self >= 0x20 && self != 0x7f || self == UInt8(ascii: "\t") }

    /// Space or tab.
    var isBlank: Bool { self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") }

    /// What means the same with and without percent-encoding (RFC 3986 section 2.3).
    var isUnreserved: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// What a request target may contain: visible ASCII (`VCHAR`).
    var isTargetByte: Bool { self > 0x20 && self < 0x7f }
}
