import FoundationEssentials
import JWTKit
import RPC

/// jwt-kit's parser, which also insists on HS256: jwt-kit checks a signature by the key that it has and leaves the header's
/// `alg` unread. Also rejects extensions that must be understood (`crit`, RFC 7515 section 4.1.11), and what says that it is
/// another kind of token (`typ`, RFC 8725 section 3.11) or holds one (`cty`).
///
/// FoundationEssentials is here because jwt-kit's protocols speak of its `Data` and JSON coders.
struct PinnedParser: JWTParser {
    var jsonDecoder: any JWTJSONDecoder = JSONDecoder()

    func parse<Payload: JWTPayload>(
        _ token: some DataProtocol, as type: Payload.Type
    ) throws -> (header: JWTHeader, payload: Payload, signature: Data) {
        let parsed = try DefaultJWTParser(jsonDecoder: jsonDecoder).parse(token, as: type)
        let header = parsed.header
        // text: of a header whose signature was good, and whose length `Tokens` bounds.
        guard header.alg == "HS256", header.crit == nil, header.cty == nil, Self.isJWT(header) else {
            throw UserError.badToken
        }
        return parsed
    }

    /// `typ` may be left out; its case does not matter, and neither does `application/` before it (RFC 7515 section 4.1.9).
    private static func isJWT(_ header: JWTHeader) -> Bool {
        guard let field = header.fields["typ"] else { return true }
        guard let type = field.asString else { return false }
        return type.hasSameBytes(asAnyCaseOf: "jwt") || type.hasSameBytes(asAnyCaseOf: "application/jwt")
    }

    /// Writes the same claims as the same text every time, so that a repeated call gets the very token of the first.
    static var stableSerializer: DefaultJWTSerializer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return DefaultJWTSerializer(jsonEncoder: encoder)
    }
}
