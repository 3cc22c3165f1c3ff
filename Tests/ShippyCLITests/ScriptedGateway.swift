import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import TestSupport

/// A server that answers as a test scripts it, and keeps what it was asked. It stands in for a gateway that is overloaded,
/// broken or hostile at a known moment, which no real one can be told to be.
final class ScriptedGateway: Sendable {
    enum Reply: Sendable {
        case answer(Int, String, headers: HTTPHeaders = [:])
        /// The connection ends without an answer.
        case hangUp
    }

    struct Request: Sendable {
        var method: HTTPMethod
        var path: String
        var headers: HTTPHeaders
        var body: String
    }

    let port: Int
    var url: String { "http://127.0.0.1:\(port)" }
    fileprivate let script: Script
    private let channel: any Channel

    /// What it was asked so far.
    var requests: [Request] { script.state.withLock { $0.requests } }

    private init(_ channel: any Channel, _ script: Script) {
        self.channel = channel
        self.script = script
        port = channel.localAddress?.port ?? 0
    }

    /// Runs one while `body` does. Without further replies it answers 500.
    static func with<Result>(
        _ replies: [Reply], _ body: (ScriptedGateway) async throws -> Result
    ) async throws -> Result {
        let script = Script(replies)
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.pipeline.configureHTTPServerPipeline().flatMap {
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(ScriptHandler(script))
                    }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let gateway = ScriptedGateway(channel, script)
        let result = await Swift.Result(catching: { try await body(gateway) })
        try await channel.close()
        return try result.get()
    }
}

private final class Script: Sendable {
    struct State {
        var replies: [ScriptedGateway.Reply]
        var requests: [ScriptedGateway.Request] = []
    }

    let state: Mutex<State>

    init(_ replies: [ScriptedGateway.Reply]) {
        state = Mutex(State(replies: replies))
    }

    func reply(to request: ScriptedGateway.Request) -> ScriptedGateway.Reply {
        state.withLock { state in
            state.requests.append(request)
            return state.replies.isEmpty ? .answer(500, "{}") : state.replies.removeFirst()
        }
    }
}

private final class ScriptHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let script: Script
    private var request: ScriptedGateway.Request?

    init(_ script: Script) {
        self.script = script
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            request = ScriptedGateway.Request(method: head.method, path: head.uri, headers: head.headers, body: "")
        case .body(let part): request?.body += String(buffer: part)
        case .end:
            guard let request else { return }
            switch script.reply(to: request) {
            case .answer(let status, let text, let headers): respond(context, status, text, headers)
            case .hangUp: context.close(promise: nil)
            }
        }
    }

    private func respond(_ context: ChannelHandlerContext, _ status: Int, _ text: String, _ headers: HTTPHeaders) {
        var head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: headers)
        head.headers.add(name: "content-type", value: "application/json")
        head.headers.add(name: "content-length", value: "\(text.utf8.count)")
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
}
