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
    private let trace: GatewayTrace
    private let memory: CallMemory
    private let clients: ClientAddresses
    private let rejectionDelays: RejectionDelays
    private let observer: GatewayObserver
    private let logger: Logger

    init(
        namespace: String, timeout: Duration, table: RouteTable, shedder: LoadShedder?, limiter: RateLimiter?,
        rejectionDelays: RejectionDelays, readiness: Readiness, files: StaticFiles?, observer: GatewayObserver,
        trace: GatewayTrace, memory: CallMemory, clients: ClientAddresses, logger: Logger
    ) {
        self.memory = memory
        self.shedder = shedder
        self.limiter = limiter
        self.rejectionDelays = rejectionDelays
        overloadedAnswers = Self.overloadedAnswers(namespace: namespace)
        self.namespace = namespace
        self.timeout = timeout
        self.table = table
        self.readiness = readiness
        self.files = files
        self.trace = trace
        self.clients = clients
        self.servicesPage = ServicesPage.render(table)
        self.observer = observer
        self.logger = logger
    }

    func respond(to request: HTTPRequest) async -> HTTPResponse {
        if let response = rateLimit(request) {
            observer.rejected(request, response)
            await rejectionDelays.wait()
            return response
        }
        var forwarded = ForwardedHeaders(request.headers, ids: ids)
        let record = observer.requestBegan(request)
        // Only requests that may become calls are traced and carry a client address: probes and pages would hide the
        // rest.
        guard request.method == .POST || GatewayPath(exactly: request.path) == .login else {
            return await respond(to: request, forwarded, record)
        }
        forwarded.add(clientAddress: clients.text(of: request))
        guard let span = trace.begin(request, &forwarded, table) else {
            return await respond(to: request, forwarded, record)
        }
        let response = await ServiceContext.$current.withValue(span.context) {
            await respond(to: request, forwarded, record)
        }
        GatewayTrace.end(span, response)
        return response
    }

    private func respond(
        to request: HTTPRequest, _ forwarded: ForwardedHeaders, _ begun: RequestRecord
    ) async -> HTTPResponse {
        var record = begun
        var response: HTTPResponse
        do {
            if let problem = forwarded.problem { throw problem }
            response = try await answer(request, forwarded, &record)
        } catch let error as GatewayError {
            response = error.response(namespace: namespace)
        } catch {
            // Nothing below throws anything else; if it does one day, its text stays here.
            logger.error(
                "a request failed", metadata: ["request_id": "\(forwarded.requestID)", "error": "\(error)"])
            response = GatewayError(500, "internal error").response(namespace: namespace)
        }
        Self.complete(&response)
        response.headers.add(name: "x-request-id", value: forwarded.requestID)
        observer.requestEnded(request, record, forwarded, response)
        return response
    }

    func respond(rejecting rejection: HTTPRejection) -> HTTPResponse {
        var response = GatewayError(rejection).response(namespace: namespace)
        Self.complete(&response)
        observer.rejected(response)
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

    private func answer(
        _ request: HTTPRequest, _ forwarded: ForwardedHeaders, _ record: inout RequestRecord
    ) async throws -> HTTPResponse {
        if request.method == .OPTIONS { return CORS.preflight(allow: allow(at: request.path)) }
        switch GatewayPath(exactly: request.path) {
        case .rpc:
            record.path = .rpc
            try require(request, at: .rpc)
            let envelope =
                switch try MediaType(of: request) {
                case .json: try Envelope(json: request.body)
                case .form: try Envelope(form: request.body)
                }
            let entry = try table.find(service: envelope.service, method: envelope.method)
            return try await call(entry, envelope.request, root: "request", forwarded, &record)
        case .healthz:
            record.path = .healthz
            try require(request, at: .healthz)
            return Self.json(ByteBuffer(staticString: "{\"status\": \"ok\"}\n"))
        case .readyz:
            record.path = .readyz
            try require(request, at: .readyz)
            let outcome = await readiness.outcome()
            let isDraining = readiness.isDraining
            return Self.json(
                outcome.json(isDraining: isDraining),
                status: outcome.isReady && !isDraining ? .ok : .serviceUnavailable)
        case .services:
            record.path = .services
            try require(request, at: .services)
            return Self.json(servicesPage)
        case .login:
            record.path = .login
            try require(request, at: .login)
            return try await logIn(request, forwarded, &record)
        case .method, .file, nil:
            return try await answerOther(request, forwarded, &record)
        }
    }

    /// A file, or a method by its path.
    private func answerOther(
        _ request: HTTPRequest, _ forwarded: ForwardedHeaders, _ record: inout RequestRecord
    ) async throws -> HTTPResponse {
        if let file = files?.file(at: request.path) {
            record.path = .file
            try require(request, at: .file)
            return try file.response(to: request)
        }
        guard let entry = try table.find(path: request.path) else {
            throw GatewayError.notFound("path \"\(request.path.shortened())\" is not known")
        }
        record.path = .method
        try require(request, at: .method)
        guard case .json = try MediaType(of: request) else {
            throw GatewayError(415, "this path takes application/json only")
        }
        let isEmpty = request.body.readableBytes == 0
        return try await call(entry, isEmpty ? nil : request.body, root: "", forwarded, &record)
    }

    /// Calls are POST; everything else is GET or HEAD.
    private func require(_ request: HTTPRequest, at path: GatewayPath) throws(GatewayError) {
        let isAllowed =
            switch path {
            case .rpc, .method: request.method == .POST
            case .services, .healthz, .readyz, .file: request.method == .GET || request.method == .HEAD
            // Not HEAD: the answer is all that a log-in is for.
            case .login: request.method == .GET
            }
        guard isAllowed else { throw .methodNotAllowed(request.method, allow: path.allow) }
    }

    /// Methods that a path allows.
    private func allow(at path: String) -> String {
        if let known = GatewayPath(exactly: path) { return known.allow }
        if files?.file(at: path) != nil { return GatewayPath.file.allow }
        if (try? table.find(path: path)) != nil { return GatewayPath.method.allow }
        // `*` is the server as a whole (RFC 9110 section 9.3.7); an unknown path allows nothing else.
        return path.hasSameBytes(as: "*") ? "GET, HEAD, POST, OPTIONS" : "OPTIONS"
    }

    // MARK: Calls

    func call(
        _ entry: RouteTable.Entry, _ json: ByteBuffer?, root: String, _ forwarded: ForwardedHeaders,
        _ record: inout RequestRecord
    ) async throws -> HTTPResponse {
        record.entry = entry
        // Checked here, because the service could only answer RESOURCE_EXHAUSTED.
        guard forwarded.metadata.headerListBytes <= Metadata.headerListBytesMax else {
            throw GatewayError(431, "the forwarded headers are larger than is allowed")
        }
        // The wait in the queue is part of the caller's timeout.
        let deadline = Deadline.after(timeout)
        let loop = shedder?.current
        if let loop, !loop.tryStart(entry.queue) {
            switch await loop.waitForTurn(entry.queue, bytes: json?.readableBytes ?? 0) {
            case .start: break
            case .gone: throw GatewayError(Status(.cancelled), service: entry.service)
            case .shed(let reason):
                // A caller that waited in the queue has paused already.
                if reason == .queue { await rejectionDelays.wait() }
                return overloaded(.now())
            }
        }
        let began = NIODeadline.now()
        entry.recorder?.callBegan()
        let result = await invoke(entry, json, root: root, forwarded, deadline)
        let ended = NIODeadline.now()
        entry.recorder?.callEnded(result.statusCode, nanoseconds: (ended - began).nanoseconds)
        loop?.finished(entry.queue, now: ended)
        return try result.get()
    }

    private func invoke(
        _ entry: RouteTable.Entry, _ json: ByteBuffer?, root: String, _ forwarded: ForwardedHeaders,
        _ deadline: Deadline
    ) async -> Result {
        do {
            let answer = try await entry.route.call(
                json, root: root, forwarded.metadata, deadline, entry.client, memory)
            var response = Self.json(answer.body)
            response.memory = answer.memory
            return Result(response: response, statusCode: .ok)
        } catch let error as GatewayError {
            return Result(error: error, statusCode: error.code == 429 ? .resourceExhausted : .invalidArgument)
        } catch {
            let status = Status(error)
            if GatewayError.httpCode(status.code) == 500 {
                logger.error(
                    "a call failed inside",
                    metadata: [
                        "service": "\(entry.service)", "method": "\(entry.route.method)",
                        "request_id": "\(forwarded.requestID)", "error": "\(error)",
                    ])
            }
            return Result(error: GatewayError(status, service: entry.service), statusCode: status.code)
        }
    }

    /// How a call ended, for the caller and for the recorder.
    private struct Result {
        var response: HTTPResponse?
        var error: GatewayError?
        let statusCode: Status.Code

        func get() throws(GatewayError) -> HTTPResponse {
            if let response { return response }
            throw error ?? GatewayError(500, "internal error")
        }
    }

    private static func json(_ body: ByteBuffer, status: HTTPResponse.Status = .ok) -> HTTPResponse {
        HTTPResponse(status: status, shared: alwaysJSON, body: body)
    }
}
