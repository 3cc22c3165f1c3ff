import FoundationEssentials
import JWTKit
import RPC

/// jwt-kit's parser, which also insists on HS256: jwt-kit checks a signature by the key that it has and leaves the header's
/// `alg` unread. Also rejects extensions that must be understood (`crit`, RFC 7515 section 4.1.11), and headers that
/// declare another kind of token (`typ`, RFC 8725 section 3.11) or a nested one (`cty`).
///
/// FoundationEssentials is here because jwt-kit's protocols speak of its `Data` and JSON coders.
struct PinnedParser: JWTParser {
    var jsonDecoder: any JWTJSONDecoder = JSONDecoder()

    func parse<Payload: JWTPayload>(
        _ token: some DataProtocol, as type: Payload.Type
    ) throws -> (header: JWTHeader, payload: Payload, signature: Data) {
        let parsed = try DefaultJWTParser(jsonDecoder: jsonDecoder).parse(token, as: type)
        let header = parsed.header
        // text: of a header whose signature was verified, and whose length `Tokens` bounds.
        guard header.alg == "HS256", header.crit == nil, header.cty == nil, Self.isJWT(header) else {
            throw UserError.badToken
        }
        return parsed
    }

    /// `typ` may be missing; case and a prefix of `application/` do not matter (RFC 7515 section 4.1.9).
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
