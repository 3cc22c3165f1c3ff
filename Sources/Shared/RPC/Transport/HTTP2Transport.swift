import NIOCore
import NIOTLS

/// What a connection is told by the transport under it, beside what the session says. On its event loop.
package protocol HTTP2TransportOwner: HTTP2SessionDelegate {
    /// The session is there; what is submitted now goes out with the first bytes.
    func transportBegan(_ session: HTTP2Session, _ context: ChannelHandlerContext)
    /// Neither side has anything to say any more.
    func transportFinished(_ context: ChannelHandlerContext)
    /// Something broke; the channel is being closed. For logs.
    func transportFailed(_ error: any Error)
    /// The channel is gone, and these streams with it. Called once.
    func transportEnded(_ streams: [HTTP2Stream])
}

/// The bytes of one HTTP/2 connection: feeds the session what is read, writes what it says in one write per turn of the
/// loop, and reads no more while the peer does not read.
///
/// `@unchecked Sendable`: channel initializers and closures that are scheduled carry it, all of them on the channel's event
/// loop. Nothing in it is touched elsewhere: NIO calls handlers there, and its owners live there. A client's is made before
/// its channel, on the loop that the channel will have.
package final class HTTP2Transport: ChannelDuplexHandler, @unchecked Sendable {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    /// Bytes handed to the channel in one write.
    private static let writeBytes = 64 * 1024

    private let role: HTTP2Session.Role
    private let settings: HTTP2Session.Settings
    /// A cycle for as long as the channel is open, so that every stream ends with its owner.
    private var owner: (any HTTP2TransportOwner)?
    package private(set) var session: HTTP2Session?
    package private(set) var context: ChannelHandlerContext?
    /// Something was read, something was written, since the flag was last cleared.
    package var hasRead = false
    package var hasWritten = false
    /// Bytes handed to the channel since the beginning.
    package private(set) var writtenBytes = 0
    /// Nothing more is written; what is read is thrown away.
    package var isClosing = false

    private var out = ByteBuffer()
    /// Whether ``out`` has grown since it was last released.
    private var isSpareHeld = false
    private static let spareBytesMin = 4 * 1024
    private var answeredEarly: [HTTP2Stream] = []
    private var isReceiving = false
    private var isSending = false
    private var isFlushScheduled = false
    private var isReadWaiting = false
    /// State of the graceful shutdown; servers only.
    package internal(set) var drainState = DrainState.serving

    package init(_ role: HTTP2Session.Role, _ settings: HTTP2Session.Settings, owner: any HTTP2TransportOwner) {
        self.role = role
        self.settings = settings
        self.owner = owner
    }

    /// Whether nghttp2 is calling back; it must not be entered again from there.
    package var isInsideSession: Bool { isReceiving || isSending }

    // MARK: Life of the channel

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { begin(context) }
    }

    package func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard session == nil, let owner else { return }
        do {
            let session = try HTTP2Session(role, settings, delegate: owner)
            self.session = session
            owner.transportBegan(session, context)
            flush()
        } catch {
            fail(error)
        }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        end()
        self.context = nil
    }

    private func end() {
        guard let owner else { return }
        isClosing = true
        if role == .client { session?.markUnsentRequests() }
        let streams = session?.streams ?? []
        session = nil
        for stream in streams { stream.isOpen = false }
        owner.transportEnded(streams)
        self.owner = nil
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(error)
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // Only seen where the channel allows one side to close first. HTTP/2 has no half of a connection to offer.
        if let event = event as? ChannelEvent, event == .inputClosed {
            flush()
            context.close(promise: nil)
        }
        // RFC 9113 section 3.2: over TLS both sides must have agreed on h2.
        if let event = event as? TLSUserEvent, case .handshakeCompleted(let negotiated) = event, negotiated != "h2" {
            fail(HTTP2SessionError.notHTTP2)
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func fail(_ error: any Error) {
        owner?.transportFailed(error)
        context?.close(promise: nil)
    }

    // MARK: Bytes in

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        guard let session, !isClosing else { return }
        hasRead = true
        isReceiving = true
        let failure = bytes.withUnsafeReadableBytes { bytes -> HTTP2SessionError? in
            do throws(HTTP2SessionError) {
                try session.receive(bytes)
                return nil
            } catch {
                return error
            }
        }
        isReceiving = false
        if let failure {
            // The session may still say why, in a GOAWAY.
            flush()
            if failure == .headersTooLarge {
                // Closing while more arrives would reset the connection, and the GOAWAY would be lost.
                owner?.transportFailed(failure)
                if !isClosing { owner?.transportFinished(context) }
            } else {
                fail(failure)
            }
        }
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        flush()
        context.fireChannelReadComplete()
    }

    package func read(context: ChannelHandlerContext) {
        if context.channel.isWritable { context.read() } else { isReadWaiting = true }
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            flush()
            if isReadWaiting, context.channel.isWritable {
                isReadWaiting = false
                context.read()
            }
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Bytes out

    /// Flushes at the end of the loop's turn, once for all that is submitted in it. A read flushes by itself.
    package func scheduleFlush() {
        guard !isReceiving, !isFlushScheduled, let context else { return }
        isFlushScheduled = true
        context.eventLoop.execute {
            self.isFlushScheduled = false
            self.flush()
        }
    }

    /// Writes what the session has to say. Does nothing inside the session's callbacks.
    package func flush() {
        guard let session, let context, let owner, !isInsideSession, !isClosing else { return }
        while context.channel.isWritable {
            out.clear()
            isSending = true
            let drained = try? session.drain(into: &out, bytesMax: Self.writeBytes)
            isSending = false
            guard let more = drained else {
                context.close(promise: nil)
                return
            }
            if out.readableBytes > 0 {
                hasWritten = true
                writtenBytes += out.readableBytes
                if out.readableBytes > Self.spareBytesMin { isSpareHeld = true }
                context.writeAndFlush(wrapOutboundOut(out), promise: nil)
            }
            // Writing may have found the connection closed.
            guard self.session != nil else { return }
            if !more, !resetAnsweredEarly(session), !submitNoticePing(session) { break }
        }
        if session.isFinished { owner.transportFinished(context) }
    }

    /// Tells the peer, once `stream`'s answer is out, that the rest of its request is not wanted (RFC 9113 section 8.1).
    /// Does nothing if the request is complete by then.
    package func resetOnceAnswered(_ stream: HTTP2Stream) {
        if !stream.hasPeerEnded { answeredEarly.append(stream) }
    }

    /// Not before the answer has gone to the channel: nghttp2 drops what a stream still has to send once it is being
    /// reset. True when there is more to write.
    private func resetAnsweredEarly(_ session: HTTP2Session) -> Bool {
        guard !answeredEarly.isEmpty else { return false }
        var hasReset = false
        answeredEarly.removeAll { stream in
            guard stream.isOpen, !stream.hasPeerEnded else { return true }
            // The rest of the answer waits for the peer's window.
            guard stream.unsentBytes == 0 else { return false }
            session.submitReset(stream, .noError)
            hasReset = true
            return true
        }
        return hasReset && session.wantsWrite
    }

    /// Bytes that the channel holds and the socket has not taken yet.
    package var bufferedBytes: Int { context?.unsentBytes ?? 0 }

    /// Releases the buffer of the last writes, which an idle connection would keep.
    package func releaseSpareMemory() {
        guard isSpareHeld else { return }
        isSpareHeld = false
        out = ByteBuffer()
    }

    /// Ends the connection without ceremony.
    package func close() {
        context?.close(promise: nil)
    }

    /// Ends a server's connection now, without GOAWAY or close_notify.
    package func abort() {
        context?.abort()
    }
}

/// State of the graceful shutdown of a server's connection (RFC 9113 section 6.8): because the server stops, or because
/// the connection has reached its maximum age.
package enum DrainState {
    /// -> `noticing`
    case serving
    /// The first GOAWAY, with the largest stream id, is to be sent. -> `noticed` when it is written, `draining` after a
    /// second.
    case noticing
    /// A PING is sent, too. -> `draining` when it comes back, or a second after the beginning.
    case noticed
    /// The second GOAWAY, with the last stream taken, is sent; the connection closes when its last stream ends.
    case draining
}

extension HTTP2Transport {
    /// How long a peer may take to answer the PING that follows the first GOAWAY.
    private static let noticeTimeout = TimeAmount.seconds(1)
    /// Payload that tells that PING from others.
    private static let noticePayload: UInt64 = 0x676f_2061_7761_7921

    /// Starts the graceful shutdown: takes no new streams except those on their way already, and lets the others
    /// finish. Servers only; may be called again.
    package func beginDrain() {
        guard case .serving = drainState, let session, let context else { return }
        drainState = .noticing
        session.submitShutdownNotice()
        scheduleFlush()
        context.eventLoop.scheduleTask(in: Self.noticeTimeout) { self.endNotice() }
    }

    /// Submits the PING that follows the first GOAWAY, once all that the session had to say is written: nghttp2 sends a
    /// PING ahead of a GOAWAY that waits. True when there is more to write.
    func submitNoticePing(_ session: HTTP2Session) -> Bool {
        guard case .noticing = drainState else { return false }
        drainState = .noticed
        session.submitPing(payload: Self.noticePayload)
        return true
    }

    /// A PING came back. The peer read our first GOAWAY before that PING, so no more streams are on their way.
    package func receivedPing(payload: UInt64) {
        if payload == Self.noticePayload { endNotice() }
    }

    private func endNotice() {
        guard let session else { return }
        switch drainState {
        case .serving, .draining: return
        case .noticing, .noticed: drainState = .draining
        }
        session.submitGoAway(.noError)
        // A read flushes by itself; outside of one, this does.
        scheduleFlush()
    }
}
