import Glibc

/// Paths of the methods. The body of a request is the message itself.
enum GatewayMethod: String {
    case createUser = "user/UserService/Create"
    case createVessel = "vessel/VesselService/Create"
    case getVessel = "vessel/VesselService/Get"
    case listVessels = "vessel/VesselService/List"
    case findVessel = "vessel/VesselService/FindAvailable"
    case updateVessel = "vessel/VesselService/Update"
    case createConsignment = "consignment/ConsignmentService/Create"
    case getConsignments = "consignment/ConsignmentService/Get"
    case cancelConsignment = "consignment/ConsignmentService/Cancel"
}

/// A response, decoded and as received.
struct Response<Message: Decodable> {
    var message: Message
    /// Valid JSON.
    var json: [UInt8]
}

/// Calls the methods of one gateway. Blocks.
final class GatewayClient {
    let url: GatewayURL
    private let http: HTTPClient
    private let sleep: (Duration) -> Void

    /// - Parameter sleep: waits between tries.
    init(_ url: GatewayURL, authorities: String?, sleep: @escaping (Duration) -> Void = pause) throws(Failure) {
        self.url = url
        self.sleep = sleep
        do {
            http = try HTTPClient(url, authorities: authorities)
        } catch {
            throw Failure(error, from: url)
        }
    }

    /// Calls a method.
    ///
    /// - Parameters:
    ///   - json: the request message.
    ///   - token: one that ``TokenFile/isToken(_:)`` accepts.
    ///   - key: the idempotency key of a Create. A call with one is retried by ``RetryPolicy``; the services store nothing
    ///     twice.
    func call<Message: Decodable>(
        _ method: GatewayMethod, json: [UInt8], token: String? = nil, key: String? = nil, as type: Message.Type
    ) throws(Failure) -> Response<Message> {
        var request = HTTPRequest(path: method.rawValue, body: json)
        if let token { request.headers.append("authorization: Bearer \(token)") }
        guard let key else { return try send(request, as: type) }
        request.headers.append("idempotency-key: \(key)")
        var policy = RetryPolicy()
        while true {
            do {
                return try send(request, as: type)
            } catch {
                guard let pause = policy.pause(after: error) else { throw error }
                Output.note("\(error.text); try \(policy.tries) of \(RetryPolicy.triesMax) in \(pause.shown)")
                sleep(pause)
            }
        }
    }

    /// Calls a method with a message to encode.
    func call<Message: Decodable>(
        _ method: GatewayMethod, _ message: some Encodable, token: String? = nil, key: String? = nil,
        as type: Message.Type
    ) throws(Failure) -> Response<Message> {
        try call(method, json: JSONText.encode(message), token: token, key: key, as: type)
    }

    /// `GET /login`.
    ///
    /// - Parameter email: without a colon, as HTTP's Basic authentication can't carry one (RFC 7617).
    func logIn(email: String, password: String) throws(Failure) -> Response<LoginResponse> {
        try send(HTTPRequest(path: "login", login: (email, password)), as: LoginResponse.self)
    }

    private func send<Message: Decodable>(
        _ request: HTTPRequest, as type: Message.Type
    ) throws(Failure) -> Response<Message> {
        let response: HTTPResponse
        do {
            response = try http.send(request)
        } catch {
            throw Failure(error, from: url)
        }
        guard (200..<300).contains(response.status) else { throw Failure(response, from: url) }
        guard let message = JSONText.decode(type, response.body) else { throw .unreadable(url) }
        return Response(message: message, json: response.body)
    }

    /// Blocks the thread.
    private static func pause(_ duration: Duration) {
        let (seconds, milliseconds) = duration.milliseconds.quotientAndRemainder(dividingBy: 1_000)
        var wanted = timespec(tv_sec: seconds, tv_nsec: milliseconds * 1_000_000)
        var left = timespec()
        // A signal that does not end the program must not shorten the pause.
        while nanosleep(&wanted, &left) != 0, errno == EINTR { wanted = left }
    }
}

/// Idempotency keys.
enum IdempotencyKey {
    /// The services accept no more bytes.
    static let bytesMax = 255

    /// 128 random bits as 32 hexadecimal digits.
    static func random() -> String {
        (0..<2).map { _ in
            let digits = String(UInt64.random(in: .min ... .max), radix: 16)
            return String(repeating: "0", count: 16 - digits.utf8.count) + digits
        }.joined()
    }

    /// Whether a header can carry the key unchanged.
    static func isValid(_ key: String) -> Bool {
        (1...bytesMax).contains(key.utf8.count) && key.utf8.allSatisfy { (0x20...0x7e).contains($0) }
            && key.utf8.first != 0x20 && key.utf8.last != 0x20
    }
}

/// Decides when a request with an idempotency key is retried.
struct RetryPolicy {
    /// Including the first.
    static let triesMax = 5
    /// A failure that asks for a longer pause is not retried.
    static let pauseMax: Duration = .seconds(30)
    /// Longest pause before the second try; it doubles with each try.
    static let pauseMin: Duration = .milliseconds(250)

    private(set) var tries = 1

    /// - Parameters:
    ///   - failure: of the last try.
    ///   - random: 0 to 1; spreads the retries of clients that failed at the same time.
    /// - Returns: how long to wait before the next try; `nil` for no further try.
    mutating func pause(after failure: Failure, random: Double = .random(in: 0...1)) -> Duration? {
        let wanted = failure.retryAfter ?? .zero
        guard failure.mayRetry, tries < Self.triesMax, wanted <= Self.pauseMax else { return nil }
        let own = Self.pauseMin * (1 << (tries - 1)) * (0.5 + random / 2)
        tries += 1
        return wanted + own
    }
}
