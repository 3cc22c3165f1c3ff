import NIOCore
import NIOPosix

/// Calls one after the other, each over a connection of its own, whose answers are read: for the time before the load.
struct SingleCalls: Sendable {
    /// Enough for a sign-up on a machine that has other things to do.
    static let timeout: Duration = .seconds(10)

    let target: Target
    let loop: any EventLoop

    /// - Throws: ``UsageError`` when no answer comes.
    func send(_ body: String, token: String? = nil) async throws -> Response {
        let request = Requests.single(body, authority: target.authority, token: token)
        let promise = loop.makePromise(of: Response.self)
        let channel = try await connect(promise)
        let timer = loop.scheduleTask(in: TimeAmount(Self.timeout)) {
            promise.fail(UsageError(description: "\(target.url) does not answer in \(Self.timeout)"))
        }
        channel.eventLoop.execute {
            do {
                let handler = try channel.pipeline.syncOperations.handler(type: SingleCall.self)
                handler.send(request)
            } catch {
                promise.fail(error)
            }
        }
        do {
            let response = try await promise.futureResult.get()
            timer.cancel()
            try? await channel.close()
            return response
        } catch {
            timer.cancel()
            try? await channel.close()
            throw error
        }
    }

    private func connect(_ promise: EventLoopPromise<Response>) async throws -> any Channel {
        do {
            return try await ClientBootstrap(group: loop).connectTimeout(TimeAmount(Self.timeout))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(SingleCall(promise))
                    }
                }
                .connect(to: target.address).get()
        } catch {
            let failure = UsageError(description: "\(target.url) takes no connection: \(error)")
            promise.fail(failure)
            throw failure
        }
    }
}

/// The one call of a connection.
private final class SingleCall: ClientConnectionOwner, ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let promise: EventLoopPromise<Response>
    private var connection: ClientConnection?

    init(_ promise: EventLoopPromise<Response>) {
        self.promise = promise
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let connection = ClientConnection(owner: self, keepsBody: true)
        self.connection = connection
        do {
            try context.pipeline.syncOperations.addHandler(connection)
        } catch {
            promise.fail(error)
        }
    }

    func send(_ bytes: ByteBuffer) {
        connection?.send(bytes, for: Call(planned: Client.now(), kind: .listing, phase: 0))
    }

    func connection(_ connection: ClientConnection, answered call: Call, _ response: Response) {
        promise.succeed(response)
    }

    func connection(_ connection: ClientConnection, closedWith call: Call?) {
        promise.fail(UsageError(description: "the gateway closed the connection without an answer"))
    }
}
