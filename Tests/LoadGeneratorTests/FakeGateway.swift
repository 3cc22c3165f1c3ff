import NIOCore
import NIOHTTP1
import NIOPosix
import TestSupport

/// A server that answers as the gateway does, with faults that a test asks for. It stands in for a system whose limits are
/// known to the digit, which no real one has.
final class FakeGateway: Sendable {
    struct Behaviour: Sendable {
        /// Each request keeps the one worker busy for so long.
        var cost: TimeAmount = .nanoseconds(0)
        /// Who would wait longer than this is refused.
        var waitMax: TimeAmount = .hours(1)
        /// From this moment on nothing is answered until the stall is over.
        var stall: (after: TimeAmount, length: TimeAmount)?
        /// Every so many bookings and listings are answered so, or not at all (`nil`).
        var faults: [(every: Int, status: Int?)] = []
        /// Whether answers end the connection.
        var closes = false
    }

    let port: Int
    let address: String
    private let channel: any Channel
    private let group: MultiThreadedEventLoopGroup

    private init(_ channel: any Channel, _ group: MultiThreadedEventLoopGroup) {
        self.channel = channel
        self.group = group
        port = channel.localAddress?.port ?? 0
        address = "http://127.0.0.1:\(port)"
    }

    /// Runs one while `body` does.
    static func with<Result>(
        _ behaviour: Behaviour = Behaviour(), _ body: (FakeGateway) async throws -> Result
    ) async throws -> Result {
        // One loop, so that the state needs no lock.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let state = NIOLoopBoundBox.makeBoxSendingValue(State(behaviour), eventLoop: group.next())
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 1_024)
            .childChannelInitializer { channel in
                channel.pipeline.configureHTTPServerPipeline().flatMap {
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Handler(state))
                    }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let gateway = FakeGateway(channel, group)
        let result = await Swift.Result(catching: { try await body(gateway) })
        try await gateway.channel.close()
        try await group.shutdownGracefully()
        return try result.get()
    }

    struct State {
        let behaviour: Behaviour
        var busyUntil = NIODeadline.now()
        /// The first booking or listing after the preparation begins the clock of a stall.
        var began: NIODeadline?
        var requests = 0

        init(_ behaviour: Behaviour) {
            self.behaviour = behaviour
        }
    }
}

private final class Handler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let state: NIOLoopBoundBox<FakeGateway.State>
    private var body = ByteBuffer()

    init(_ state: NIOLoopBoundBox<FakeGateway.State>) {
        self.state = state
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: body.clear()
        case .body(var part): body.writeBuffer(&part)
        case .end: answer(context)
        }
    }

    private func answer(_ context: ChannelHandlerContext) {
        let text = String(buffer: body)
        // What comes before the load is answered at once.
        guard !text.contains("UserService"), !text.contains("VesselService") else {
            return respond(context, 200, #"{"user":{"id":"1"},"token":{"token":"a.b.c","valid":true}}"#)
        }
        state.value.requests += 1
        let now = NIODeadline.now()
        let behaviour = state.value.behaviour
        let number = state.value.requests
        let began = state.value.began ?? now
        state.value.began = began
        if let stall = behaviour.stall, now >= began + stall.after {
            state.value.busyUntil = max(state.value.busyUntil, began + stall.after + stall.length)
        }
        let start = max(now, state.value.busyUntil)
        guard start - now <= behaviour.waitMax else {
            return respond(context, 429, #"{"code":429}"#, retryAfter: true)
        }
        state.value.busyUntil = start + behaviour.cost
        for fault in behaviour.faults where number % fault.every == 0 {
            guard let status = fault.status else { return context.close(promise: nil) }
            return respond(context, status, "{}")
        }
        guard state.value.busyUntil > now else { return respond(context, 200, #"{"created":true}"#) }
        context.eventLoop.assumeIsolated().scheduleTask(deadline: state.value.busyUntil) {
            self.respond(context, 200, #"{"created":true}"#)
        }
    }

    private func respond(_ context: ChannelHandlerContext, _ status: Int, _ text: String, retryAfter: Bool = false) {
        var head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status))
        head.headers.add(name: "Content-Length", value: "\(text.utf8.count)")
        if retryAfter { head.headers.add(name: "Retry-After", value: "1") }
        let closes = state.value.behaviour.closes
        if closes { head.headers.add(name: "Connection", value: "close") }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        if closes { context.close(promise: nil) }
    }
}
