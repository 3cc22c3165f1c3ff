import Glibc
import RPC

/// The grammar of HTTP's messages, on bytes (RFC 9110 section 5.6, RFC 9112).
extension UnsafeRawBufferPointer {
    /// `token`: methods, names of fields, and others.
    var isToken: Bool { !isEmpty && endOfToken(from: 0) == count }

    /// `field-value`: no control characters but tabs, so that nothing in it ends its line (RFC 9110 section 5.5).
    var isFieldValue: Bool { endOfFieldValue(from: 0) == count }

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
        let expected = UnsafeRawBufferPointer(start: word.utf8Start, count: count)
        var at = 0
        while count - at >= 8 {
            guard self.word(at: at) | UInt64(repeatingByte: 0x20) == expected.word(at: at) else { return false }
            at += 8
        }
        while at < count {
            guard self[at] | 0x20 == expected[at] else { return false }
            at += 1
        }
        return true
    }

    /// Whether a list of words with commas between them contains a word.
    func listContains(_ word: StaticString) -> Bool {
        var start = 0
        while start <= count {
            let end = index(of: UInt8(ascii: ","), from: start)
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

// MARK: Scans

/// Where parts of a line end. Nearly all bytes that a server reads pass through these, so they look at eight at a time
/// where they can.
extension UnsafeRawBufferPointer {
    /// Where the colon of a field line is, and the CRLF behind it.
    struct FieldLine {
        let colon: Int
        let end: Int
    }

    /// The field line that begins at `start`, if all of it and its CRLF are there and are valid:
    /// `field-name ":" OWS field-value OWS`. Looks at each byte once.
    ///
    /// Inlined with its scan, as calls are a good part of what a short line costs.
    @inline(__always)
    func fieldLine(at start: Int) -> FieldLine? {
        let colon = endOfToken(from: start)
        guard colon > start, colon < count, self[colon] == UInt8(ascii: ":") else { return nil }
        let end = endOfFieldValue(from: colon + 1)
        guard count - end >= 2, self[end] == UInt8(ascii: "\r"), self[end + 1] == UInt8(ascii: "\n") else { return nil }
        return FieldLine(colon: colon, end: end)
    }

    /// The first place at or behind `start` that holds this byte; `count` if there is none.
    func index(of byte: UInt8, from start: Int) -> Int {
        guard let base = baseAddress, start < count, let found = memchr(base + start, Int32(byte), count - start)
        else { return count }
        return base.distance(to: UnsafeRawPointer(found))
    }

    /// The first place at or behind `start` that holds no byte of a token; `count` if there is none.
    func endOfToken(from start: Int) -> Int {
        var at = start
        while count - at >= 8 {
            let others = word(at: at).bytesOtherThanLettersAndHyphens
            at += others.trailingZeroBitCount / 8
            guard others != 0 else { continue }
            // The end, or one of the rarer bytes of a token.
            guard self[at].isTokenByte else { return at }
            at += 1
        }
        while at < count, self[at].isTokenByte { at += 1 }
        return at
    }

    /// The first place at or behind `start` that holds no byte of a field's value; `count` if there is none.
    @inline(__always)
    func endOfFieldValue(from start: Int) -> Int {
        var at = start
        while count - at >= 8 {
            let controls = word(at: at).controlBytes
            guard controls == 0 else {
                at += controls.trailingZeroBitCount / 8
                break
            }
            at += 8
        }
        // The last bytes, or the first control character, which ends the value unless it is a tab.
        while at < count, self[at].isFieldByte { at += 1 }
        return at
    }

    /// Eight bytes, the first of them the lowest.
    fileprivate func word(at offset: Int) -> UInt64 {
        UInt64(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}

extension UInt64 {
    /// The same byte eight times.
    fileprivate init(repeatingByte byte: UInt8) {
        self = UInt64(byte) &* 0x0101_0101_0101_0101
    }

    /// Not 0 if one of the eight bytes is a control character, tab or DEL; then the lowest bit that is set is in the
    /// first of them. Bits above it mean nothing: a subtraction borrows from the bytes above.
    fileprivate var controlBytes: UInt64 {
        let isDEL = self ^ UInt64(repeatingByte: 0x7f)
        let below0x20 = (self &- UInt64(repeatingByte: 0x20)) & ~self
        let equal0x7f = (isDEL &- UInt64(repeatingByte: 1)) & ~isDEL
        return (below0x20 | equal0x7f) & UInt64(repeatingByte: 0x80)
    }

    /// The highest bit of each byte that is no ASCII letter or hyphen, of which most names of fields consist. No sum
    /// carries over into the next byte: all are of two numbers of seven bits.
    fileprivate var bytesOtherThanLettersAndHyphens: UInt64 {
        let sevenBits = UInt64(repeatingByte: 0x7f)
        let lowercase = (self | UInt64(repeatingByte: 0x20)) & sevenBits
        let atLeastA = lowercase &+ UInt64(repeatingByte: 0x80 - UInt8(ascii: "a"))
        let aboveZ = lowercase &+ UInt64(repeatingByte: 0x7f - UInt8(ascii: "z"))
        let notHyphen = ((self ^ UInt64(repeatingByte: UInt8(ascii: "-"))) & sevenBits) &+ sevenBits
        return (self | (~atLeastA | aboveZ) & notHyphen) & UInt64(repeatingByte: 0x80)
    }
}

// MARK: Bytes

extension UInt8 {
    /// `tchar`.
    var isTokenByte: Bool {
        // A bit for each ASCII character: digits and "!#$%&'*+-." in the lower half, letters and "^_`|~" in the upper.
        let half: UInt64 = self < 0x40 ? 0x03ff_6cfa_0000_0000 : 0x57ff_ffff_c7ff_fffe
        return self < 0x80 && half &>> UInt64(self) & 1 != 0
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
