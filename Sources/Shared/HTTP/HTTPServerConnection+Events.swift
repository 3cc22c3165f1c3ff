import NIOCore
import NIOSSL

/// Events that end a connection or its input.
extension HTTPServerConnection {
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case NIOSSLError.uncleanShutdown:
            // The peer closed without close_notify; the end of input follows as an event. A request that was cut off by
            // it is incomplete by its own length.
            break
        default:
            loop.logger.debug("connection failed", metadata: ["peer": "\(peer)", "error": "\(error)"])
            abort()
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            // What was sent in part is no request.
            if isWithinRequest { state.reject(.malformed, toHead: isReadingHEAD) }
            state.inputEnded()
            if isLingering {
                context.close(promise: nil)
            } else {
                pump()
            }
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func evict() {
        abort()
    }

    var evictionOrder: UInt64? {
        guard state.isIdle || isLingering || state.hasOnlyPartialRequest, let context, context.unsentBytes == 0
        else { return nil }
        // A peer that is only heard out has its answer, and goes first.
        if isLingering { return 0 }
        if state.isIdle { return use }
        return openedAt.hasPassed(loop.configuration.newcomerGrace) ? use + Self.partialRequest : nil
    }
}
