import NIOCore

extension HTTPServerConnection {
    /// Called by the loop's timer.
    func checkTimeouts(now: NIODeadline) {
        guard let context else { return }
        let limits = loop.configuration
        // An unknown option would be an error of NIO's; without it a connection counts as not writing.
        let bytesLeft = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        let wait: StallWatch.Wait
        let limit: Duration?
        if bytesLeft > 0 {
            (wait, limit) = (.writing(bytesLeft: bytesLeft), limits.writeTimeout)
        } else if isLingering {
            (wait, limit) = (.linger, limits.lingerTimeout)
        } else if state.isAnswering {
            (wait, limit) =
                state.hasPeerEnded ? (.responderHalfClosed, limits.halfClosedTimeout) : (.responder, nil)
        } else if state.isReceiving {
            (wait, limit) = (.request, limits.requestTimeout)
        } else {
            (wait, limit) = (.idle, limits.idleTimeout)
        }
        let elapsed = watch.elapsed(wait, progress: state.progress, now: now)
        guard let limit, elapsed >= TimeAmount(limit) else { return }
        switch wait {
        case .request:
            state.refuse(.timeout)
            pump()
        case .idle:
            // The peer is well, so TLS may say farewell.
            context.close(promise: nil)
        case .responder, .responderHalfClosed, .writing, .linger:
            abort()
        }
    }
}
