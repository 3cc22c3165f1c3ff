import NIOCore

extension JSONBytes {
    /// The same text with pairs of `\u` escapes, which encode one character beyond U+FFFF, resolved to UTF-8.
    ///
    /// SwiftProtobuf 1.39 decodes half of them wrongly and without an error: it joins by OR what must be added, so that
    /// U+20BB7 becomes U+10BB7. Clients that write only ASCII, such as Python's `json`, would store another name.
    /// Source: RFC 8259 section 7; `decodeString` in SwiftProtobuf's JSONScanner.swift.
    var resolvingPairs: JSONBytes {
        withUnsafeBytes { bytes in
            guard Self.mayHavePairs(bytes) else { return self }
            var resolved = ByteBuffer()
            resolved.reserveCapacity(bytes.count)
            let cursor = JSONCursor(bytes)
            var at = 0
            while at < bytes.count {
                let start = at
                guard bytes[at] == UInt8(ascii: "\\") else {
                    at = bytes[at...].firstIndex(of: UInt8(ascii: "\\")) ?? bytes.count
                    resolved.writeBytes(bytes[start..<at])
                    continue
                }
                // A malformed escape is left for the decoder to reject.
                guard at + 1 < bytes.count, let scalar = try? cursor.escape(at: &at, end: bytes.count) else {
                    return self
                }
                if scalar.value > 0xffff {
                    resolved.writeString(String(scalar))
                } else {
                    resolved.writeBytes(bytes[start..<at])
                }
            }
            return JSONBytes(resolved)
        }
    }

    /// Whether `\ud` occurs, which is rare in requests.
    private static func mayHavePairs(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var at = 0
        while at + 2 < bytes.count {
            if bytes[at] == UInt8(ascii: "\\"), bytes[at + 1] == UInt8(ascii: "u"),
                bytes[at + 2] | 0x20 == UInt8(ascii: "d")
            {
                return true
            }
            at += 1
        }
        return false
    }

    /// The same text with the names in these places as the JSON mapping of field masks wants them: `max_weight` becomes
    /// `maxWeight`.
    func lowerCamelCasing(_ places: [Range<Int>]) -> JSONBytes {
        guard !places.isEmpty else { return self }
        return withUnsafeBytes { bytes in
            var text = ByteBuffer()
            text.reserveCapacity(bytes.count)
            var at = 0
            for place in places {
                text.writeBytes(bytes[at..<place.lowerBound])
                var isUpper = false
                for byte in bytes[place] {
                    if byte == UInt8(ascii: "_") {
                        isUpper = true
                    } else {
                        let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                        text.writeInteger(isUpper && isLetter ? byte - 0x20 : byte)
                        isUpper = false
                    }
                }
                at = place.upperBound
            }
            text.writeBytes(bytes[at...])
            return JSONBytes(text)
        }
    }
}
