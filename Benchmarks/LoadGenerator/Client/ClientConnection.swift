import Glibc
import NIOCore

/// A request that is under way, or that waits for a connection.
final class Call {
    /// Nanoseconds of the machine's steady clock when it should be sent.
    let planned: Int64
    let kind: Kind
    let phase: Int
    /// Nanoseconds of the same clock when it was sent.
    var sent: Int64?
    var isDone = false
    /// While it is under way.
    var connection: ClientConnection?

    init(planned: Int64, kind: Kind, phase: Int) {
        self.planned = planned
        self.kind = kind
        self.phase = phase
    }
}

/// What a connection tells its owner. All of it happens on the loop.
protocol ClientConnectionOwner: AnyObject {
    func connection(_ connection: ClientConnection, answered call: Call, _ response: Response)
    /// It is gone, and `call` with it.
    func connection(_ connection: ClientConnection, closedWith call: Call?)
}

/// One HTTP/1.1 connection, one request on it at a time.
///
/// Lives on its channel's event loop.
final class ClientConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private weak var owner: (any ClientConnectionOwner)?
    private var reader = ResponseReader()
    private var context: ChannelHandlerContext?
    private(set) var call: Call?
    /// Nanoseconds of the machine's steady clock when it was free last; the owner's.
    var idleSince: Int64 = 0
    private var isClosed = false
    /// The server has said that it takes no more.
    private var isEnding = false

    init(owner: any ClientConnectionOwner, keepsBody: Bool = false) {
        self.owner = owner
        reader.keepsBody = keepsBody
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    /// Sends `bytes` for `call`. The connection is idle.
    func send(_ bytes: ByteBuffer, for call: Call) {
        guard let context, !isClosed else {
            owner?.connection(self, closedWith: call)
            return
        }
        self.call = call
        call.connection = self
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    /// Ends it, whatever is under way.
    func close() {
        guard !isClosed else { return }
        context?.close(promise: nil)
    }

    /// Ends it as a caller who has given up. The port is free again at once: thousands may give up in a minute.
    func abort() {
        guard !isClosed, let context else { return }
        // On its loop the option is set before the call returns.
        _ = (context.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        while bytes.readableBytes > 0 {
            do throws(ResponseReader.Unreadable) {
                guard let response = try reader.read(&bytes) else { return }
                // An answer to nothing: a server that gives up an idle connection may say so.
                guard let call else { return close() }
                self.call = nil
                call.connection = nil
                if response.closes { isEnding = true }
                owner?.connection(self, answered: call, response)
                if response.closes { context.close(promise: nil) }
            } catch {
                return close()
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        markClosed()
        self.context = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    /// Tells the owner, once.
    private func markClosed() {
        guard !isClosed else { return }
        isClosed = true
        let lost = call
        call = nil
        lost?.connection = nil
        owner?.connection(self, closedWith: lost)
    }

    /// Whether another request may be sent on it.
    var isUsable: Bool { !isClosed && !isEnding && context != nil }
}
