import HTTP
import Logging
import NIOCore
import RPC
import Tracing

/// Answers the gateway's requests. Knows HTTP's semantics, and nothing of how it is carried.
///
/// A class, as each request takes a reference to it.
final class GatewayResponder: HTTPResponder {
    let namespace: String
    private let timeout: Duration
    let table: RouteTable
    /// `nil` when calls start regardless of their number.
    let shedder: LoadShedder?
    /// `nil` where an address may make any number of requests.
    let limiter: RateLimiter?
    let overloadedAnswers: [HTTPResponse]
    private let readiness: Readiness
    private let files: StaticFiles?
    private let servicesPage: ByteBuffer
    private let ids = RequestIDs()
    private let memory: CallMemory
    private let clients: ClientAddresses
    private let rejectionDelays: RejectionDelays
    private let observer: GatewayObserver
    private let logger: Logger

    init(
        _ configuration: GatewayConfiguration, table: RouteTable, shedder: LoadShedder?, limiter: RateLimiter?,
        rejectionDelays: RejectionDelays, readiness: Readiness, files: StaticFiles?, observer: GatewayObserver,
        logger: Logger
    ) {
        namespace = configuration.namespace
        timeout = configuration.timeout
        memory = CallMemory(configuration.http.memory)
        clients = ClientAddresses(proxies: configuration.trustedProxies)
        self.shedder = shedder
        self.limiter = limiter
        self.rejectionDelays = rejectionDelays
        overloadedAnswers = Self.overloadedAnswers(namespace: configuration.namespace)
        self.table = table
        self.readiness = readiness
        self.files = files
        self.servicesPage = ServicesPage.render(table)
        self.observer = observer
        self.logger = logger
    }

    // MARK: The pipeline

    /// The steps of each request, in this order:
    ///
    /// 1. ``rateLimit(_:)``
    /// 2. `begin`: ids, and what is forwarded; the counter, trace and span of the request
    /// 3. `route`: what the path and the body ask for
    /// 4. `call`: load shedding, then the service
    /// 5. `end`: headers of each answer; log line, metrics and span of the request
    ///
    /// Those that never wait are not inlined: what they need for a moment would be part of the frame of the function that
    /// waits, which is allocated anew for each request.
    func respond(to request: HTTPRequest) async -> HTTPResponse {
        if let response = rateLimit(request) {
            await rejectionDelays.wait()
            return response
        }
        let exchange = begin(request)
        guard let span = exchange.span else { return await respond(to: exchange) }
        return await ServiceContext.$current.withValue(span.context) { await respond(to: exchange) }
    }

    private func respond(to exchange: Exchange) async -> HTTPResponse {
        do {
            return end(exchange, try await answer(exchange))
        } catch {
            return end(exchange, response(to: error, exchange))
        }
    }

    private func answer(_ exchange: Exchange) async throws -> HTTPResponse {
        switch try route(exchange) {
        case .answer(let response): return response
        case .readiness: return readinessAnswer(await readiness.outcome())
        case .logIn: return try await logIn(exchange)
        case .call(let entry, let json, let root): return try await call(entry, json, root: root, exchange)
        }
    }

    @inline(never)
    private func begin(_ request: HTTPRequest) -> Exchange {
        let exchange = Exchange(request, ids: ids, clients: clients)
        observer.requestBegan(exchange, table)
        return exchange
    }

    @inline(never)
    private func response(to error: any Error, _ exchange: Exchange) -> HTTPResponse {
        if let error = error as? GatewayError { return error.response(namespace: namespace) }
        // Nothing throws anything else; if it does one day, its text stays here.
        logger.error(
            "a request failed", metadata: ["request_id": "\(exchange.forwarded.requestID)", "error": "\(error)"])
        return GatewayError(500, "internal error").response(namespace: namespace)
    }

    @inline(never)
    private func end(_ exchange: Exchange, _ response: HTTPResponse) -> HTTPResponse {
        var response = response
        Self.complete(&response)
        response.headers.add(name: "x-request-id", value: exchange.forwarded.requestID)
        observer.requestEnded(exchange, response)
        return response
    }

    func respond(rejecting rejection: HTTPRejection) -> HTTPResponse {
        var response = GatewayError(rejection).response(namespace: namespace)
        Self.complete(&response)
        observer.requestRejected(nil, response)
        return response
    }

    /// What every answer carries.
    static func complete(_ response: inout HTTPResponse) {
        if response.shared == nil { response.shared = always }
    }

    /// For answers in JSON, which nearly all are.
    private static let alwaysJSON: SharedFields = {
        var headers = always.fields
        headers.add(name: "content-type", value: "application/json")
        return SharedFields(headers)
    }()
    private static let always: SharedFields = {
        var headers = CORS.headers
        headers.add(name: "x-content-type-options", value: "nosniff")
        return SharedFields(headers)
    }()

    // MARK: Paths

    /// What a request asks for.
    private enum Target {
        case answer(HTTPResponse)
        case readiness
        case logIn
        case call(RouteTable.Entry, json: ByteBuffer?, root: String)
    }

    @inline(never)
    private func route(_ exchange: Exchange) throws -> Target {
        if let problem = exchange.forwarded.problem { throw problem }
        let request = exchange.request
        if request.method == .OPTIONS { return .answer(CORS.preflight(allow: allow(at: request.path))) }
        switch GatewayPath(exactly: request.path) {
        case .rpc:
            try enter(.rpc, exchange)
            let envelope =
                switch try MediaType(of: request) {
                case .json: try Envelope(json: request.body)
                case .form: try Envelope(form: request.body)
                }
            let entry = try table.find(service: envelope.service, method: envelope.method)
            return .call(entry, json: envelope.request, root: "request")
        case .healthz:
            try enter(.healthz, exchange)
            return .answer(Self.json(ByteBuffer(staticString: "{\"status\": \"ok\"}\n")))
        case .readyz:
            try enter(.readyz, exchange)
            return .readiness
        case .services:
            try enter(.services, exchange)
            return .answer(Self.json(servicesPage))
        case .login:
            try enter(.login, exchange)
            return .logIn
        case .method, .file, nil:
            return try routeOther(exchange)
        }
    }

    /// A file, or a method by its path.
    private func routeOther(_ exchange: Exchange) throws -> Target {
        let request = exchange.request
        if let file = files?.file(at: request.path) {
            try enter(.file, exchange)
            return .answer(try file.response(to: request))
        }
        guard let entry = try table.find(path: request.path) else {
            throw GatewayError.notFound("path \"\(request.path.shortened())\" is not known")
        }
        try enter(.method, exchange)
        guard case .json = try MediaType(of: request) else {
            throw GatewayError(415, "this path takes application/json only")
        }
        return .call(entry, json: request.body.readableBytes == 0 ? nil : request.body, root: "")
    }

    /// Notes the path, and checks that it takes the method: calls are POST; everything else is GET or HEAD.
    private func enter(_ path: GatewayPath, _ exchange: Exchange) throws(GatewayError) {
        exchange.path = path
        let method = exchange.request.method
        let isAllowed =
            switch path {
            case .rpc, .method: method == .POST
            case .services, .healthz, .readyz, .file: method == .GET || method == .HEAD
            // Not HEAD: the answer is all that a log-in is for.
            case .login: method == .GET
            }
        guard isAllowed else { throw .methodNotAllowed(method, allow: path.allow) }
    }

    /// Methods that a path allows.
    private func allow(at path: String) -> String {
        if let known = GatewayPath(exactly: path) { return known.allow }
        if files?.file(at: path) != nil { return GatewayPath.file.allow }
        if (try? table.find(path: path)) != nil { return GatewayPath.method.allow }
        // `*` is the server as a whole (RFC 9110 section 9.3.7); an unknown path allows nothing else.
        return path.hasSameBytes(as: "*") ? "GET, HEAD, POST, OPTIONS" : "OPTIONS"
    }

    @inline(never)
    private func readinessAnswer(_ outcome: Readiness.Outcome) -> HTTPResponse {
        let isDraining = readiness.isDraining
        return Self.json(
            outcome.json(isDraining: isDraining), status: outcome.isReady && !isDraining ? .ok : .serviceUnavailable)
    }

    // MARK: Calls

    /// - Parameters:
    ///   - json: the request message; `nil` for the empty one.
    ///   - root: the path of the request in error messages.
    func call(
        _ entry: RouteTable.Entry, _ json: ByteBuffer?, root: String, _ exchange: Exchange
    ) async throws -> HTTPResponse {
        try enter(entry, exchange)
        // The wait in the queue is part of the caller's timeout.
        let deadline = Deadline.after(timeout)
        let loop = shedder?.current
        if let loop, !loop.tryStart(entry.queue) {
            switch await loop.waitForTurn(entry.queue, bytes: json?.readableBytes ?? 0) {
            case .start: break
            case .gone: throw cancelled(entry)
            case .shed(let reason):
                // A caller that waited in the queue has paused already.
                if reason == .queue { await rejectionDelays.wait() }
                return overloaded(.now())
            }
        }
        let began = NIODeadline.now()
        entry.recorder?.callBegan()
        do {
            let answer = try await entry.route.call(
                json, root: root, exchange.forwarded.metadata, deadline, entry.client, memory)
            callEnded(entry, .ok, since: began, loop)
            return Self.response(answer)
        } catch {
            let failure = failure(error, exchange)
            callEnded(entry, failure.statusCode, since: began, loop)
            throw failure.error
        }
    }

    /// Notes the method, and checks that its service can take the request's metadata.
    @inline(never)
    private func enter(_ entry: RouteTable.Entry, _ exchange: Exchange) throws {
        exchange.entry = entry
        // Checked here, because the service could only answer RESOURCE_EXHAUSTED.
        guard exchange.forwarded.metadata.headerListBytes <= Metadata.headerListBytesMax else {
            throw GatewayError(431, "the forwarded headers are larger than is allowed")
        }
    }

    @inline(never)
    private func cancelled(_ entry: RouteTable.Entry) -> any Error {
        GatewayError(Status(.cancelled), service: entry.service)
    }

    private func callEnded(
        _ entry: RouteTable.Entry, _ code: Status.Code, since began: NIODeadline, _ loop: LoopShedder?
    ) {
        let ended = NIODeadline.now()
        entry.recorder?.callEnded(code, nanoseconds: (ended - began).nanoseconds)
        loop?.finished(entry.queue, now: ended)
    }

    /// How a call failed, for the caller and for the recorder.
    @inline(never)
    private func failure(
        _ error: any Error, _ exchange: Exchange
    ) -> (error: any Error, statusCode: Status.Code) {
        if let error = error as? GatewayError {
            return (error, error.code == 429 ? .resourceExhausted : .invalidArgument)
        }
        let status = Status(error)
        let service = exchange.entry?.service ?? ""
        if GatewayError.httpCode(status.code) == 500 {
            logger.error(
                "a call failed inside",
                metadata: [
                    "service": "\(service)", "method": "\(exchange.entry?.route.method ?? "")",
                    "request_id": "\(exchange.forwarded.requestID)", "error": "\(error)",
                ])
        }
        return (GatewayError(status, service: service), status.code)
    }

    @inline(never)
    private static func response(_ answer: GatewayAnswer) -> HTTPResponse {
        var response = json(answer.body)
        response.memory = answer.memory
        return response
    }

    private static func json(_ body: ByteBuffer, status: HTTPResponse.Status = .ok) -> HTTPResponse {
        HTTPResponse(status: status, shared: alwaysJSON, body: body)
    }
}

/// Rejects requests before anything is done for them.
extension GatewayResponder {
    /// Counts a request against its address's rate.
    ///
    /// - Returns: the answer to one above the rate; `nil` for others, and for all probes.
    @inline(never)
    func rateLimit(_ request: HTTPRequest) -> HTTPResponse? {
        guard let limiter, GatewayPath(exactly: request.path)?.isProbe != true, let seconds = limiter.limit(request)
        else { return nil }
        let detail = "too many requests from this address; try again in \(seconds) s"
        let response = Self.tooManyRequests(detail, seconds, namespace: namespace)
        observer.requestRejected(request, response)
        return response
    }

    /// Callers come back after a few seconds, and not all at the same moment.
    func overloaded(_ now: NIODeadline) -> HTTPResponse {
        overloadedAnswers[Int(truncatingIfNeeded: now.uptimeNanoseconds >> 10) % overloadedAnswers.count]
    }

    /// Made once, as there may be many.
    static func overloadedAnswers(namespace: String) -> [HTTPResponse] {
        (1...4).map { tooManyRequests("the service is overloaded; try again in \($0) s", $0, namespace: namespace) }
    }

    private static func tooManyRequests(_ detail: String, _ seconds: Int, namespace: String) -> HTTPResponse {
        var error = GatewayError(429, detail)
        error.retryAfter = String(seconds)
        var response = error.response(namespace: namespace)
        complete(&response)
        return response
    }
}
