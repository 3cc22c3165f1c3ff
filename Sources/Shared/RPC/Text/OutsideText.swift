/// Text from outside, compared and cut by its UTF-8 bytes.
///
/// Swift compares, hashes and splits a `String` by characters and by canonical equivalence. A character may be as long
/// as the text, and normalizing a run of n combining marks costs n²: 300 KB of them occupy a processor for seconds. So
/// text from peers is bounded in bytes and read with these functions, which are all linear. TidyTests finds other uses.
///
/// Not generic, so that other modules call code that is specialized for these types.
extension String {
    /// Whether both texts have the same bytes.
    package func hasSameBytes(as other: String) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }

    /// Whether the text equals `lowercase` up to the case of ASCII letters. `lowercase` must hold none in upper case.
    package func hasSameBytes(asAnyCaseOf lowercase: String) -> Bool {
        utf8.count == lowercase.utf8.count
            && utf8.elementsEqual(lowercase.utf8) { $0.lowercasedASCII == $1 }
    }

    /// Whether the text begins with these bytes.
    package func startsWithBytes(_ start: String) -> Bool {
        utf8.starts(with: start.utf8)
    }

    /// Whether the text is printable ASCII, spaces included: what gRPC metadata may hold ("ASCII-Value").
    package var isPrintableASCII: Bool { utf8.allSatisfy { $0 >= 0x20 && $0 <= 0x7e } }

    /// Whether the text has at most `limit` characters, counted as Unicode scalars (not grapheme clusters): the measure
    /// of every text in a request.
    package func hasAtMost(_ limit: Int) -> Bool {
        // A scalar has one to four bytes, so that few texts need to be counted, and none of megabytes.
        utf8.count <= limit || (utf8.count <= 4 * limit && unicodeScalars.count <= limit)
    }

    /// Like ``Substring/trimmedOfBlanks``.
    package var trimmedOfBlanks: Substring { self[...].trimmedOfBlanks }

    /// Like ``Substring/shortened(bytesMax:)``.
    package func shortened(bytesMax: Int = OutsideText.shownBytesMax) -> String {
        self[...].shortened(bytesMax: bytesMax)
    }
}

extension Substring {
    /// Whether both texts have the same bytes.
    package func hasSameBytes(as other: String) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }

    /// Like the `String` method of this name.
    package func hasSameBytes(asAnyCaseOf lowercase: String) -> Bool {
        utf8.count == lowercase.utf8.count
            && utf8.elementsEqual(lowercase.utf8) { $0.lowercasedASCII == $1 }
    }

    /// Whether the text begins with these bytes.
    package func startsWithBytes(_ start: String) -> Bool {
        utf8.starts(with: start.utf8)
    }

    /// The text without the spaces and tabs around it (RFC 9110 section 5.6.3, OWS).
    package var trimmedOfBlanks: Substring {
        func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        let bytes = utf8
        guard let first = bytes.firstIndex(where: { !isBlank($0) }) else { return self[startIndex..<startIndex] }
        // A byte that is no blank exists, at `first` at the earliest.
        let last = bytes.lastIndex { !isBlank($0) } ?? first
        return self[first..<bytes.index(after: last)]
    }

    /// The text, cut at `bytesMax` bytes between Unicode scalars and then ending in `…`: for errors that repeat a
    /// peer's text.
    package func shortened(bytesMax: Int = OutsideText.shownBytesMax) -> String {
        let bytes = utf8
        guard bytes.count > bytesMax else { return String(self) }
        var end = bytes.index(bytes.startIndex, offsetBy: bytesMax)
        while end > bytes.startIndex, bytes[end] & 0xc0 == 0x80 { end = bytes.index(before: end) }
        return String(self[..<end]) + "…"
    }
}

/// Default bounds on text from outside.
package enum OutsideText {
    /// Bytes of a peer's text that an error repeats.
    package static let shownBytesMax = 120
}

/// A text as key of a dictionary or a set; keys are equal when their bytes are.
package struct ByteKey: Hashable, Sendable {
    package let text: String

    package init(_ text: String) {
        self.text = text
    }

    package static func == (left: ByteKey, right: ByteKey) -> Bool {
        left.text.hasSameBytes(as: right.text)
    }

    package func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        // A terminator, as in `String`, so that two keys in a row do not run into each other.
        hasher.combine(UInt8(0xff))
    }
}

extension UInt8 {
    /// Whether the byte is an ASCII letter or digit.
    package var isAlphanumericASCII: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    /// The byte in lower case if it is an ASCII letter in upper case, else the byte itself.
    package var lowercasedASCII: UInt8 {
        self >= UInt8(ascii: "A") && self <= UInt8(ascii: "Z") ? self | 0x20 : self
    }
}

extension UnsafeRawBufferPointer {
    /// Like the `String` property of this name.
    var isPrintableASCII: Bool { allSatisfy { $0 >= 0x20 && $0 <= 0x7e } }

    /// Whether the bytes are UTF-8 without surrogates, overlong forms or anything above U+10FFFF (RFC 3629).
    package var isUTF8: Bool {
        var at = 0
        while at < count {
            let lead = self[at]
            if lead < 0x80 {
                at += 1
                continue
            }
            // Number of bytes that follow, and the range of the first of them, where the forbidden forms differ.
            let following: Int
            var second: ClosedRange<UInt8> = 0x80...0xbf
            switch lead {
            case 0xc2...0xdf: following = 1
            case 0xe0: (following, second) = (2, 0xa0...0xbf)
            case 0xed: (following, second) = (2, 0x80...0x9f)
            case 0xe1...0xef: following = 2
            case 0xf0: (following, second) = (3, 0x90...0xbf)
            case 0xf4: (following, second) = (3, 0x80...0x8f)
            case 0xf1...0xf3: following = 3
            default: return false
            }
            guard at + following < count, second.contains(self[at + 1]) else { return false }
            if following > 1 {
                for index in (at + 2)...(at + following) where self[index] & 0xc0 != 0x80 { return false }
            }
            at += following + 1
        }
        return true
    }
}

/// Ids of stored records, as lists show them and page tokens carry them.
///
/// Ours are short. Those of records that other programs stored may have any length, and have to fit an answer and a request.
package enum ListedID {
    /// The longest id that a call finds a record by, in UTF-8 bytes.
    package static let bytesMax = 16 * 1024
    /// Sorts behind all other characters.
    private static let end = "\u{10ffff}"

    /// The id or, in place of a longer one than ``bytesMax``, a text that sorts behind all ids that begin like it: so that
    /// the page after it goes on behind them.
    package static func bounded(_ id: String) -> String {
        let bytes = id.utf8
        guard bytes.count > bytesMax else { return id }
        var cut = bytes.index(bytes.startIndex, offsetBy: bytesMax - end.utf8.count)
        while cut > bytes.startIndex, bytes[cut] & 0xc0 == 0x80 { cut = bytes.index(before: cut) }
        return String(id[..<cut]) + end
    }
}
