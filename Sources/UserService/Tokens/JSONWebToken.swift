import RPC
import SwiftProtobuf

/// JSON Web Tokens (RFC 7519) that are signed by HS256 (RFC 7518 section 3.2): three parts of Base64url with dots between
/// them, header, claims and signature (RFC 7515 section 3.1).
///
/// The algorithm is a fact here and no choice of the token's. Nothing of a token is decoded before its signature was found
/// good, so that all that is read was written by somebody who has the key.
enum JSONWebToken {
    /// `{"alg":"HS256","typ":"JWT"}`
    private static let header = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
    private static let dot = UInt8(ascii: ".")

    /// A token with these claims.
    ///
    /// - Parameter claims: a JSON object.
    static func sign(_ claims: [UInt8], key: [UInt8]) -> String {
        let signed = "\(header).\(base64URL(claims))"
        return "\(signed).\(base64URL(HMACSHA256.code(of: signed.utf8, key: key)))"
    }

    /// The claims of a token that `key` signed; `nil` for every other text.
    static func claims(of token: [UInt8], key: [UInt8]) -> Google_Protobuf_Struct? {
        guard let end = token.lastIndex(of: dot) else { return nil }
        // The text is compared, and not what it stands for: Base64 can say the same bytes in several ways.
        let signature = Array(base64URL(HMACSHA256.code(of: token[..<end], key: key)).utf8)
        guard HMACSHA256.areEqual(Array(token[(end + 1)...]), signature) else { return nil }
        let parts = token[..<end].split(separator: dot, omittingEmptySubsequences: false)
        guard parts.count == 2, let header = object(parts[0]), isAcceptable(header) else { return nil }
        return object(parts[1])
    }

    /// Rejects extensions that must be understood (`crit`, RFC 7515 section 4.1.11), and headers that declare another
    /// algorithm, another kind of token (`typ`, RFC 8725 section 3.11) or a nested one (`cty`).
    private static func isAcceptable(_ header: Google_Protobuf_Struct) -> Bool {
        guard let algorithm = header.text("alg"), algorithm.hasSameBytes(as: "HS256"),
            header.fields["crit"] == nil, header.fields["cty"] == nil
        else { return false }
        // It may be missing; case and a prefix of `application/` do not matter (RFC 7515 section 4.1.9).
        guard header.fields["typ"] != nil else { return true }
        guard let type = header.text("typ") else { return false }
        return type.hasSameBytes(asAnyCaseOf: "jwt") || type.hasSameBytes(asAnyCaseOf: "application/jwt")
    }

    private static func object(_ part: ArraySlice<UInt8>) -> Google_Protobuf_Struct? {
        guard part.allSatisfy(isBase64URL), let json = Base64.decode(part) else { return nil }
        return try? Google_Protobuf_Struct(jsonUTF8Bytes: json)
    }

    /// Base64url without padding (RFC 7515 section 2).
    private static func base64URL(_ bytes: [UInt8]) -> String { Base64.encode(bytes, alphabet: .url) }

    private static func isBase64URL(_ byte: UInt8) -> Bool {
        byte.isAlphanumericASCII || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }
}

extension Google_Protobuf_Struct {
    /// A field that is a text; `nil` where it is missing or of another type.
    func text(_ name: String) -> String? {
        guard case .stringValue(let text)? = fields[name]?.kind else { return nil }
        return text
    }

    /// The texts of a field that is a list of nothing else; `nil` where it is not.
    func texts(_ name: String) -> [String]? {
        guard case .listValue(let list)? = fields[name]?.kind else { return nil }
        var texts: [String] = []
        for value in list.values {
            guard case .stringValue(let text)? = value.kind else { return nil }
            texts.append(text)
        }
        return texts
    }
}
