import FoundationEssentials
import JWTKit

/// jwt-kit's parser, which also insists on HS256: jwt-kit checks a signature by the key that it has and leaves the header's
/// `alg` unread. Also refuses extensions that must be understood (`crit`, RFC 7515 section 4.1.11).
///
/// FoundationEssentials is here because jwt-kit's protocols speak of its `Data` and JSON coders.
struct PinnedParser: JWTParser {
    var jsonDecoder: any JWTJSONDecoder = JSONDecoder()

    func parse<Payload: JWTPayload>(
        _ token: some DataProtocol, as type: Payload.Type
    ) throws -> (header: JWTHeader, payload: Payload, signature: Data) {
        let parsed = try DefaultJWTParser(jsonDecoder: jsonDecoder).parse(token, as: type)
        // text: of a header whose signature was good, and whose length `Tokens` bounds.
        guard parsed.header.alg == "HS256", parsed.header.crit == nil else { throw UserError.badToken }
        return parsed
    }

    /// Writes the same claims as the same text every time, so that a repeated call gets the very token of the first.
    static var stableSerializer: DefaultJWTSerializer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return DefaultJWTSerializer(jsonEncoder: encoder)
    }
}
