import JWTKit

/// A payload with any claims.
struct ForgedClaims: JWTPayload {
    enum Value: Codable, Sendable {
        case text(String)
        case number(Int64)
        case real(Double)
        case list([String])
        case null
        case user

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .text(let text): try container.encode(text)
            case .number(let number): try container.encode(number)
            case .real(let number): try container.encode(number)
            case .list(let texts): try container.encode(texts)
            case .null: try container.encodeNil()
            case .user: try container.encode(["id": "u1", "name": "n", "company": "c", "email": "e"])
            }
        }

        init(from decoder: any Decoder) throws { self = .user }
    }

    var fields: [String: Value]

    init(fields: [String: Value]) { self.fields = fields }
    init(from decoder: any Decoder) throws { fields = [:] }

    func encode(to encoder: any Encoder) throws { try fields.encode(to: encoder) }
    func verify(using algorithm: some JWTAlgorithm) throws {}
}
