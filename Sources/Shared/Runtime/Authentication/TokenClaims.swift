import SwiftProtobuf

/// What a token says of its holder. Read only after the user service said that the token is good.
struct TokenClaims: Equatable {
    /// The user's id.
    var subject: String
    /// Seconds since 1970 in UTC.
    var expiry: Int64

    /// - Returns: `nil` for what is no JWT with `sub` and `exp`.
    init?(token: String) {
        let parts = token.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let payload = Self.decode(parts[1]),
            let claims = try? Google_Protobuf_Struct(jsonUTF8Bytes: payload),
            case .stringValue(let subject)? = claims.fields["sub"]?.kind, !subject.isEmpty,
            case .numberValue(let expiry)? = claims.fields["exp"]?.kind,
            let expiry = Int64(exactly: expiry.rounded(.down))
        else { return nil }
        self.subject = subject
        self.expiry = expiry
    }

    /// base64url without padding (RFC 7515 section 2).
    private static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count * 3 / 4)
        var bits: UInt32 = 0
        var count = 0
        for character in text {
            let value: UInt8
            switch character {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = character - UInt8(ascii: "A")
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = character - UInt8(ascii: "a") + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = character - UInt8(ascii: "0") + 52
            case UInt8(ascii: "-"): value = 62
            case UInt8(ascii: "_"): value = 63
            default: return nil
            }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }
}
