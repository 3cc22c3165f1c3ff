import NIOCore

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
