import NIOCore
import NIOHTTP1
import NIOSSL

/// Events that end a connection or its input.
extension HTTPServerConnection {
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case HTTPParserError.headerOverflow:
            state.refuse(.headersTooLarge)
            pump()
        case HTTPParserError.invalidMethod, HTTPParserError.invalidConstant:
            // The parser knows methods of other protocols, and fails at the HTTP version that follows one of them.
            state.refuse(keeper.hasUnknownMethod(isFirst: !sawPart) ? .notImplemented : .malformed)
            pump()
        case is HTTPParserError:
            state.refuse(.malformed)
            pump()
        case is ByteToMessageDecoderError:
            // More bytes after a parser error: they are dropped until the connection closes.
            break
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

    var idleOrder: UInt64? {
        guard state.isIdle, let context,
            (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0 == 0
        else { return nil }
        return use
    }
}
