import HTTP
import Logging
import NIOCore
import NIOPosix
import RPC
import Synchronization

/// A responder out of a closure; counts what it is asked.
final class ClosureResponder: HTTPResponder {
    let began = Atomic<Int>(0)
    let cancelled = Atomic<Int>(0)
    private let answer: @Sendable (HTTPRequest) async -> HTTPResponse

    init(_ answer: @escaping @Sendable (HTTPRequest) async -> HTTPResponse) {
        self.answer = answer
    }

    func respond(to request: HTTPRequest) async -> HTTPResponse {
        began.add(1, ordering: .relaxed)
        let response = await answer(request)
        if Task.isCancelled { cancelled.add(1, ordering: .relaxed) }
        return response
    }

    func respond(rejecting rejection: HTTPRejection) -> HTTPResponse {
        let status: HTTPResponse.Status =
            switch rejection {
            case .malformed: .badRequest
            case .timeout: .requestTimeout
            case .bodyTooLarge: .payloadTooLarge
            case .outOfMemory: .tooManyRequests
            case .headersTooLarge: .requestHeaderFieldsTooLarge
            case .notImplemented: .notImplemented
            case .versionNotSupported: .httpVersionNotSupported
            }
        return HTTPResponse(status: status, body: ByteBuffer(string: "rejected: \(rejection)"))
    }

    var beganCount: Int { began.load(ordering: .relaxed) }
    var cancelledCount: Int { cancelled.load(ordering: .relaxed) }

    /// Answers with method, path, query and body.
    static func echo() -> ClosureResponder {
        ClosureResponder { request in
            let text =
                "\(request.method.rawValue) \(request.path) \(request.query ?? "-") \(String(buffer: request.body))"
            return HTTPResponse(status: .ok, headers: ["content-type": "text/plain"], body: ByteBuffer(string: text))
        }
    }
}

/// Holds responders until it is opened.
final class Gate: Sendable {
    private let opened = Atomic<Bool>(false)

    func open() {
        opened.store(true, ordering: .releasing)
    }

    /// Returns when the gate is open or the task is cancelled.
    func pass() async {
        while !opened.load(ordering: .acquiring), !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(2))
        }
    }
}

/// Runs `body` against a server on a free port of this machine, and drains it afterwards.
func withServer<R>(
    _ responder: ClosureResponder,
    configure: (inout HTTPServer.Configuration) -> Void = { _ in },
    _ body: (HTTPServer, SocketAddress) async throws -> R
) async throws -> R {
    var configuration = HTTPServer.Configuration(address: HostPort(host: "127.0.0.1", port: 0))
    configure(&configuration)
    let server = HTTPServer(
        configuration: configuration, group: .singleton, responder: responder, logger: Logger(label: "test"))
    let address = try await server.start()
    do {
        let result = try await body(server, address)
        await server.drain(timeout: .milliseconds(50))
        return result
    } catch {
        await server.drain(timeout: .milliseconds(50))
        throw error
    }
}
