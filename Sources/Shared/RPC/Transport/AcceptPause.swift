import Glibc
import Logging
import NIOCore

/// Pauses a listener when the system has no file descriptor or no memory for another connection. Must be the first
/// handler of the listening channel.
///
/// The connection stays in the system's queue, and the event loop is told at once that it can be accepted: without a
/// pause the loop would try, fail and log as fast as it can. NIO keeps a channel registered after a failed read,
/// whether or not the next read was requested; only turning `autoRead` off takes it out of the event loop.
package final class AcceptPause: ChannelInboundHandler {
    package typealias InboundIn = any Channel
    package typealias InboundOut = any Channel

    /// Pause before accepting again after a failure.
    static let pause = TimeAmount.milliseconds(200)
    /// Failures less than this apart are one shortage, which is logged once.
    static let shortageGap = TimeAmount.seconds(60)

    private let logger: Logger
    private let onShortage: @Sendable () -> Void
    private var lastFailure: NIODeadline?
    private var isPaused = false

    /// - Parameter onShortage: called at each failure, on the listener's event loop; may free descriptors.
    package init(logger: Logger, onShortage: @escaping @Sendable () -> Void = {}) {
        self.logger = logger
        self.onShortage = onShortage
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let failure = error as? IOError, Self.isShortage(failure.errnoCode) else {
            // ECONNABORTED, for instance: the peer left before it was accepted.
            logger.debug("a connection could not be accepted", metadata: ["error": "\(error)"])
            return
        }
        let now = context.eventLoop.now
        if lastFailure.map({ now - $0 > Self.shortageGap }) ?? true {
            logger.warning("no connections are accepted for now", metadata: ["error": "\(failure)"])
        }
        lastFailure = now
        onShortage()
        guard !isPaused else { return }
        isPaused = true
        setAutoRead(false, context)
        let listener = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: Self.pause) {
            let (handler, context) = listener.value
            handler.isPaused = false
            handler.setAutoRead(true, context)
        }
    }

    /// Sets `autoRead`. A closed listener throws, which does no harm.
    private func setAutoRead(_ isOn: Bool, _ context: ChannelHandlerContext) {
        try? context.channel.syncOptions?.setOption(.autoRead, value: isOn)
    }

    private static func isShortage(_ code: CInt) -> Bool {
        [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(code)
    }
}
