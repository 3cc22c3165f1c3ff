import NIOCore

extension HTTPServerConnection {
    /// Called by the loop's timer.
    func checkTimeouts(now: NIODeadline) {
        guard let context else { return }
        let limits = loop.configuration
        let bytesLeft = context.unsentBytes
        countUnsent(bytesLeft)
        let taken = writtenBytes - bytesLeft
        if answerProgress.isLate(bytesLeft: bytesLeft, taken: taken, now: now, rate: limits.answerRate) {
            return abort()
        }
        let wait: StallWatch.Wait
        let limit: Duration?
        if bytesLeft > 0 {
            return
        } else if isLingering {
            (wait, limit) = (.linger, limits.lingerTimeout)
            let longest = now + TimeAmount(state.isDraining ? limits.lingerTimeout : limits.lingerTimeMax)
            let end = min(lingerEnd ?? longest, longest)
            lingerEnd = end
            if now >= end { return abort() }
        } else if state.isAnswering {
            (wait, limit) =
                state.hasPeerEnded ? (.responderHalfClosed, limits.halfClosedTimeout) : (.responder, nil)
        } else if state.isReceiving {
            (wait, limit) = (.request, limits.requestTimeout)
        } else {
            (wait, limit) = (.idle, limits.idleTimeout)
        }
        let elapsed = watch.elapsed(wait, progress: isLingering ? discardedReads : state.progress, now: now)
        guard let limit, elapsed >= TimeAmount(limit) else { return }
        switch wait {
        case .request:
            state.reject(.timeout, toHead: isReadingHEAD)
            pump()
        case .idle:
            // The peer is well, so TLS may say farewell.
            context.close(promise: nil)
        case .responder, .responderHalfClosed, .linger:
            abort()
        }
    }
}
