import NIOCore

/// State of the graceful shutdown of a server's connection (RFC 9113 section 6.8): because the server stops, or because
/// the connection has reached its maximum age.
package enum DrainState {
    /// -> `noticed`
    case serving
    /// The first GOAWAY, with the largest stream id, and a PING are sent. -> `draining` when the PING comes back, or
    /// after a second.
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
        drainState = .noticed
        session.submitShutdownNotice()
        session.submitPing(payload: Self.noticePayload)
        scheduleFlush()
        context.eventLoop.scheduleTask(in: Self.noticeTimeout) { self.endNotice() }
    }

    /// A PING came back. The peer sent it after it read our first GOAWAY, so no more streams are on their way.
    package func receivedPing(payload: UInt64) {
        if payload == Self.noticePayload { endNotice() }
    }

    private func endNotice() {
        guard case .noticed = drainState, let session else { return }
        drainState = .draining
        session.submitGoAway(.noError)
        // A read flushes by itself; outside of one, this does.
        scheduleFlush()
    }
}
