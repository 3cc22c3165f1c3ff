import HTTP
import NIOCore
import RPC

/// `GET /login` with HTTP's Basic authentication, which `curl -u` and browsers speak (RFC 7617).
extension GatewayResponder {
    private static let challenge = "Basic realm=\"shippy\""

    func logIn(_ exchange: Exchange) async throws -> HTTPResponse {
        guard let entry = table.login else { throw GatewayError.notFound("there is no user service here") }
        guard let credentials = Credentials(exchange.request.headers) else {
            throw Self.challenged(GatewayError(401, "log in with HTTP Basic authentication, such as curl -u EMAIL"))
        }
        // The password is only for Auth's request: it must not be forwarded as metadata too.
        exchange.forwarded.removeCredentials()
        do {
            var response = try await call(entry, credentials.json, root: "", exchange)
            response.headers.add(name: "cache-control", value: "no-store")
            return response
        } catch let error as GatewayError where error.code == 401 {
            throw Self.challenged(error)
        }
    }

    private static func challenged(_ error: GatewayError) -> GatewayError {
        var error = error
        error.challenge = challenge
        return error
    }
}

/// Email and password of an `authorization: Basic` header.
private struct Credentials {
    /// The request message of Auth.
    let json: ByteBuffer

    /// - Returns: `nil` where there are none, or two, or they are malformed.
    init?(_ headers: HTTPFields) {
        let fields = headers.values(of: .authorization)
        guard fields.count == 1, let field = fields.first else { return nil }
        let isSpace: (UInt8) -> Bool = { $0 == UInt8(ascii: " ") }
        let text = field.utf8.drop(while: isSpace)
        guard let end = text.firstIndex(where: isSpace), Substring(text[..<end]).hasSameBytes(asAnyCaseOf: "basic"),
            let bytes = Base64.decode(text[end...].drop(while: isSpace)),
            let colon = bytes.firstIndex(of: UInt8(ascii: ":")),
            let email = String(validating: bytes[..<colon], as: UTF8.self),
            let password = String(validating: bytes[(colon + 1)...], as: UTF8.self)
        else { return nil }
        var body = ByteBuffer()
        body.writeJSONString(email, after: "{\"email\": ")
        body.writeJSONString(password, after: ", \"password\": ")
        body.writeStaticString("}")
        json = body
    }
}
