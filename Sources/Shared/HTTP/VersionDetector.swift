import NIOCore
import NIOTLS
import RPC

/// The first handler of a connection: finds out which HTTP the peer speaks, and makes way for who speaks it.
///
/// Over TLS that is what ALPN agreed on (RFC 7301); without it, the first bytes tell: HTTP/2 with prior knowledge begins
/// with a preface that no HTTP/1 request can (RFC 9113 section 3.4).
///
/// `@unchecked Sendable`: adding it to a pipeline asks for it. It is made by the channel initializer, on the channel's event
/// loop, and touched there only: NIO calls handlers there, and so does ``LoopContext``, which asserts it in `add(_:)`.
final class VersionDetector: ChannelInboundHandler, RemovableChannelHandler, ServedConnection, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    private let loop: LoopContext
    private var context: ChannelHandlerContext?
    /// What came before the version was known.
    private var held = ByteBuffer()
    private var isHandshaking = false
    private var watch = StallWatch()
    private var use: UInt64 = 0
    private let openedAt = NIODeadline.now()

    init(loop: LoopContext) {
        self.loop = loop
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        isHandshaking = loop.configuration.tls != nil
        use = loop.nextUse()
        loop.add(self)
        if context.channel.isActive { begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    /// Counts the connection for its peer's address, which is known from here on.
    private func begin(_ context: ChannelHandlerContext) {
        loop.setAddress(context.remoteAddress, of: self, context.channel)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        // A channel that a drain closes before it was active never says that it is inactive.
        loop.remove(self)
    }

    func channelInactive(context: ChannelHandlerContext) {
        loop.remove(self)
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        held.writeBuffer(&bytes)
        guard !isHandshaking else { return }
        let seen = held.readableBytesView
        guard seen.elementsEqual(Self.preface.prefix(seen.count)) || seen.count >= Self.preface.count else {
            return installProtocolHandlers(context, isHTTP2: false)
        }
        // A prefix of the preface so far; more has to come, unless all of it is there.
        if seen.count >= Self.preface.count {
            installProtocolHandlers(context, isHTTP2: seen.starts(with: Self.preface))
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case TLSUserEvent.handshakeCompleted(let negotiated):
            isHandshaking = false
            installProtocolHandlers(context, isHTTP2: negotiated == "h2")
        case ChannelEvent.inputClosed:
            context.close(promise: nil)
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        loop.logger.debug("connection failed", metadata: ["error": "\(error)"])
        context.close(promise: nil)
    }

    /// Puts the handlers of the detected version into the pipeline in place of this one.
    private func installProtocolHandlers(_ context: ChannelHandlerContext, isHTTP2: Bool) {
        let pipeline = context.pipeline.syncOperations
        var successor: any ServedConnection = self
        do {
            if isHTTP2 {
                let (connection, transport) = try HTTP2ServerConnection.make(loop)
                loop.replace(self, by: connection)
                successor = connection
                try pipeline.addHandler(transport)
            } else {
                let connection = HTTPServerConnection(loop: loop)
                loop.replace(self, by: connection)
                successor = connection
                try pipeline.addHandler(connection)
            }
        } catch {
            loop.remove(successor)
            return context.close(promise: nil)
        }
        // The end of this read is still to come, and finds the successor.
        if held.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(held)) }
        pipeline.removeHandler(self, promise: nil)
    }

    // MARK: As the loop sees it

    /// The first request may be on its way. Whoever answers it is told to drain, too.
    func drain() {}

    func endIdle() {
        context?.close(promise: nil)
    }

    func abort() {
        context?.abort()
    }

    func evict() {
        abort()
    }

    private var isIdle: Bool { held.readableBytes == 0 && !isHandshaking }

    var evictionOrder: UInt64? {
        // A channel that is not active yet is the newcomer that others make room for.
        guard context?.channel.isActive == true, openedAt.hasPassed(loop.configuration.newcomerGrace) else {
            return nil
        }
        return isIdle ? use : use + Self.partialRequest
    }

    func checkTimeouts(now: NIODeadline) {
        let limit = isIdle ? loop.configuration.idleTimeout : loop.configuration.requestTimeout
        let elapsed = watch.elapsed(isIdle ? .idle : .request, progress: 0, now: now)
        if elapsed >= TimeAmount(limit) { abort() }
    }
}

extension NIODeadline {
    /// Whether this moment is at least `time` ago.
    func hasPassed(_ time: Duration) -> Bool { .now() - self >= TimeAmount(time) }
}
