import NIOCore
import NIOHTTP1
import NIOPosix

/// What an HTTP server answered.
public struct WebAnswer: Sendable {
    public var status: Int
    public var headers: HTTPHeaders
    public var body: String

    public init(status: Int, headers: HTTPHeaders, body: String) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// The connection ended, or could not be made, before a whole answer had come.
public struct WebUnanswered: Error, CustomStringConvertible {
    /// Whether any byte of the answer came: then the server had taken the request.
    public var hasBegun: Bool
    public var description: String { hasBegun ? "half an answer" : "no answer" }
}

/// Requests to 127.0.0.1, each on a connection of its own.
public enum Web {
    public static func get(_ port: Int, _ path: String) async throws -> WebAnswer {
        try await once(port) { try await $0.send(.GET, path) }
    }

    /// `POST /rpc` with JSON.
    public static func rpc(_ port: Int, _ json: String, headers: HTTPHeaders = [:]) async throws -> WebAnswer {
        try await once(port) { try await $0.rpc(json, headers: headers) }
    }

    private static func once(
        _ port: Int, _ body: (WebConnection) async throws -> WebAnswer
    ) async throws -> WebAnswer {
        let connection = try await WebConnection.open(port)
        do {
            let answer = try await body(connection)
            await connection.close()
            return answer
        } catch {
            await connection.close()
            throw error
        }
    }
}

/// One HTTP/1.1 connection that stays open, for one request after the other.
public final class WebConnection: Sendable {
    private let channel: any Channel

    private init(_ channel: any Channel) {
        self.channel = channel
    }

    /// - Throws: ``WebUnanswered`` when nobody takes the connection.
    public static func open(_ port: Int) async throws -> WebConnection {
        do {
            let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        try channel.pipeline.syncOperations.addHandler(WebExchangeHandler())
                    }
                }
                .connect(host: "127.0.0.1", port: port).get()
            return WebConnection(channel)
        } catch {
            throw WebUnanswered(hasBegun: false)
        }
    }

    /// - Throws: ``WebUnanswered``.
    public func send(
        _ method: HTTPMethod, _ path: String, headers: HTTPHeaders = [:], body: String = ""
    ) async throws -> WebAnswer {
        var head = HTTPRequestHead(version: .http1_1, method: method, uri: path, headers: headers)
        head.headers.add(name: "host", value: "127.0.0.1")
        if method == .POST { head.headers.add(name: "content-length", value: "\(body.utf8.count)") }
        let promise = channel.eventLoop.makePromise(of: WebAnswer.self)
        channel.writeAndFlush(WebExchange(head: head, body: ByteBuffer(string: body), answer: promise))
            .cascadeFailure(to: promise)
        do {
            return try await promise.futureResult.get()
        } catch let error as WebUnanswered {
            throw error
        } catch {
            throw WebUnanswered(hasBegun: false)
        }
    }

    /// `POST /rpc` with JSON.
    public func rpc(_ json: String, headers: HTTPHeaders = [:]) async throws -> WebAnswer {
        var headers = headers
        headers.add(name: "content-type", value: "application/json")
        return try await send(.POST, "/rpc", headers: headers, body: json)
    }

    public func close() async {
        try? await channel.close()
    }
}

/// A request on its way, and where its answer goes.
private struct WebExchange: Sendable {
    let head: HTTPRequestHead
    let body: ByteBuffer
    let answer: EventLoopPromise<WebAnswer>
}

/// Puts responses together; one exchange at a time. Lives on its channel's loop.
private final class WebExchangeHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = WebExchange
    typealias OutboundOut = HTTPClientRequestPart

    private var waiting: EventLoopPromise<WebAnswer>?
    private var answer: WebAnswer?

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let exchange = unwrapOutboundIn(data)
        waiting = exchange.answer
        context.write(wrapOutboundOut(.head(exchange.head)), promise: nil)
        if exchange.body.readableBytes > 0 {
            context.write(wrapOutboundOut(.body(.byteBuffer(exchange.body))), promise: nil)
        }
        context.write(wrapOutboundOut(.end(nil)), promise: promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            answer = WebAnswer(status: Int(head.status.code), headers: head.headers, body: "")
        case .body(let part):
            answer?.body += String(buffer: part)
        case .end:
            if let answer { waiting?.succeed(answer) }
            waiting = nil
            answer = nil
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail()
        context.close(promise: nil)
    }

    private func fail() {
        waiting?.fail(WebUnanswered(hasBegun: answer != nil))
        waiting = nil
    }
}
