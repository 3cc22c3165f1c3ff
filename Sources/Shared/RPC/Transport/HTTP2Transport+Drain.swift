import NIOCore

/// How far the graceful shutdown of a server's connection is (RFC 9113 section 6.8).
package enum DrainState {
    /// -> `noticed`
    case serving
    /// A first GOAWAY, with the largest stream id, and a PING went out. -> `draining` when the PING comes back, or after a second.
    case noticed
    /// The second GOAWAY with the last stream taken went out; the connection closes when its last stream ends.
    case draining
}

extension HTTP2Transport {
    /// How long a peer may take to answer the PING that goes with the first GOAWAY.
    private static let noticeTimeout = TimeAmount.seconds(1)
    /// Tells that PING from others.
    private static let noticePayload: UInt64 = 0x676f_2061_7761_7921

    /// Takes no new streams, but those that are on their way to us already; lets the others finish. Servers only; may be
    /// called again.
    package func beginDrain() {
        guard case .serving = drainState, let session, let context else { return }
        drainState = .noticed
        session.submitShutdownNotice()
        session.submitPing(payload: Self.noticePayload)
        scheduleFlush()
        context.eventLoop.scheduleTask(in: Self.noticeTimeout) { self.endNotice() }
    }

    /// A PING came back. The peer has sent it after it read our first GOAWAY, so no more streams are on their way.
    package func receivedPing(payload: UInt64) {
        if payload == Self.noticePayload { endNotice() }
    }

    private func endNotice() {
        guard case .noticed = drainState, let session else { return }
        drainState = .draining
        session.submitGoAway(.noError)
        // May run inside a read, which flushes by itself; else this does.
        scheduleFlush()
    }
}
