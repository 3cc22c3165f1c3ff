import FoundationEssentials

// The messages of the contract, as far as this client needs them. The generated ones would bring in the whole RPC layer and
// minutes of compiling. Responses leave fields with default values out.

struct Vessel: Codable, Equatable {
    var id: String?
    var name: String?
    /// Containers.
    var capacity: Int32?
    /// In kg.
    var maxWeight: Int32?
    /// `nil` counts as true.
    var available: Bool?
    var bookedContainers: Int32?
    /// In kg.
    var bookedWeight: Int32?
}

struct VesselResponse: Decodable {
    var vessel: Vessel?
    var vessels: [Vessel]?
    var nextPageToken: String?
}

struct Specification: Encodable {
    /// Containers.
    var capacity: Int32
    /// In kg.
    var maxWeight: Int32
}

struct VesselUpdate: Encodable {
    var vessel: Vessel
    /// Field names, separated by commas.
    var updateMask: String
}

struct Consignment: Decodable, Equatable {
    struct Container: Decodable, Equatable {
        var customerID: String?
        var userID: String?
        var origin: String?

        private enum CodingKeys: String, CodingKey {
            case customerID = "customerId"
            case userID = "userId"
            case origin
        }
    }

    var id: String?
    var description: String?
    /// In kg.
    var weight: Int32?
    var containers: [Container]?
    var vesselID: String?
    /// `BOOKED`, `PENDING` or `CANCELLED`.
    var status: String?
    /// Such as `2026-01-31T09:05:00.123456Z`.
    var createdAt: String?

    private enum CodingKeys: String, CodingKey {
        case id, description, weight, containers, status, createdAt
        case vesselID = "vesselId"
    }
}

struct ConsignmentResponse: Decodable {
    var consignment: Consignment?
    var consignments: [Consignment]?
    var nextPageToken: String?
}

struct SignUp: Encodable {
    var name: String
    var company: String
    var email: String
    var password: String
}

struct SignUpResponse: Decodable {
    struct User: Decodable {
        var email: String?
    }

    var user: User?
    var token: LoginResponse?
}

struct LoginResponse: Decodable {
    var token: String?
}

/// Names one object by its id.
struct IDRequest: Encodable {
    var id: String
}

struct PageRequest: Encodable {
    var pageSize: Int
    /// `nil` for the first page.
    var pageToken: String?
}

/// The gateway's error JSON.
struct ErrorResponse: Decodable {
    /// BadRequest, ErrorInfo or RetryInfo of `google.rpc`. Unknown ones have none of these fields.
    struct Detail: Decodable {
        struct FieldViolation: Decodable {
            var field: String?
            var description: String?
        }

        var fieldViolations: [FieldViolation]?
        var reason: String?
        /// Seconds, such as `1.500s`.
        var retryDelay: String?
    }

    var detail: String?
    var details: [Detail]?
}

/// The JSON of the messages above. It has the contract's names, in snake_case; ours follow, but for those that end in ID.
enum JSONText {
    static func encode(_ message: some Encodable) throws(Failure) -> [UInt8] {
        do {
            let encoder = JSONEncoder()
            encoder.keyEncodingStrategy = .convertToSnakeCase
            return Array(try encoder.encode(message))
        } catch {
            // Never happens: texts and integers can always be encoded.
            throw Failure(.internalError, "can't write the request as JSON")
        }
    }

    /// - Returns: `nil` when the bytes are not JSON or not this message.
    static func decode<Message: Decodable>(_ type: Message.Type, _ bytes: [UInt8]) -> Message? {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try? decoder.decode(type, from: Data(bytes))
    }
}
