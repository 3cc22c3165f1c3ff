/// Text from outside, compared and cut by its UTF-8 bytes.
///
/// Swift compares, hashes and splits a `String` by characters and by canonical equivalence. A character may be as long as
/// the text, and putting a run of n combining marks in order costs n²: 300 KB of them hold a processor for seconds. So
/// what a peer chooses is bounded in bytes and looked at through these; each is linear. TidyTests looks for the rest.
///
/// Not generic, so that other modules call code that was made for these types.
extension String {
    /// Whether both are the same bytes.
    package func hasSameBytes(as other: String) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }

    /// Whether the text is `lowercase` but for the case of ASCII letters; that has none in upper case.
    package func hasSameBytes(asAnyCaseOf lowercase: String) -> Bool {
        utf8.count == lowercase.utf8.count
            && utf8.elementsEqual(lowercase.utf8) { $0.lowercasedASCII == $1 }
    }

    /// Whether the text begins with these bytes.
    package func startsWithBytes(_ start: String) -> Bool {
        utf8.starts(with: start.utf8)
    }

    /// Whether all of it is printable ASCII, the space included: what gRPC metadata may hold ("ASCII-Value").
    package var isPrintableASCII: Bool { utf8.allSatisfy { $0 >= 0x20 && $0 <= 0x7e } }

    /// As ``Substring/trimmedOfBlanks``.
    package var trimmedOfBlanks: Substring { self[...].trimmedOfBlanks }

    /// As ``Substring/shortened(bytesMax:)``.
    package func shortened(bytesMax: Int = OutsideText.shownBytesMax) -> String {
        self[...].shortened(bytesMax: bytesMax)
    }
}

extension Substring {
    /// Whether both are the same bytes.
    package func hasSameBytes(as other: String) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }

    /// As the `String` method of this name.
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
        // There is a byte that is no blank, at `first` at the earliest.
        let last = bytes.lastIndex { !isBlank($0) } ?? first
        return self[first..<bytes.index(after: last)]
    }

    /// What a peer sent, for being repeated to it: cut at so many bytes, between Unicode scalars, and then ending in `…`.
    package func shortened(bytesMax: Int = OutsideText.shownBytesMax) -> String {
        let bytes = utf8
        guard bytes.count > bytesMax else { return String(self) }
        var end = bytes.index(bytes.startIndex, offsetBy: bytesMax)
        while end > bytes.startIndex, bytes[end] & 0xc0 == 0x80 { end = bytes.index(before: end) }
        return String(self[..<end]) + "…"
    }
}

/// What text from outside is bounded by where nothing else says it.
package enum OutsideText {
    /// Of a peer's text that is repeated in an error.
    package static let shownBytesMax = 120
}

/// A text as a key of a dictionary or a set: the same bytes are the same key.
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
        // As `String` does it, so that of two keys in a row neither runs into the other.
        hasher.combine(UInt8(0xff))
    }
}

extension UInt8 {
    /// The byte of the lower-case letter for one of an ASCII letter in upper case; any other as it is.
    package var lowercasedASCII: UInt8 {
        self >= UInt8(ascii: "A") && self <= UInt8(ascii: "Z") ? self | 0x20 : self
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the bytes are UTF-8 without surrogates, overlong forms or anything above U+10FFFF (RFC 3629).
    package var isUTF8: Bool {
        var at = 0
        while at < count {
            let lead = self[at]
            if lead < 0x80 {
                at += 1
                continue
            }
            // How many bytes follow, and what the first of them may be: that is where the forbidden forms differ.
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
