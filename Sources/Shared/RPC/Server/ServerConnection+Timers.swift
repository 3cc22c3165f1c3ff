import NIOCore

/// How far a connection's farewell is (RFC 9113 section 6.8).
enum DrainState {
    /// -> `noticed`
    case serving
    /// A first GOAWAY, with the largest stream id, and a PING went out. -> `draining` when the PING comes back, or after a second.
    case noticed
    /// The second GOAWAY with the last stream taken went out; closes when the last call ends.
    case draining
}

/// The two timers of a server's connection: deadlines, and the tick for keepalive and requests that never end.
///
/// They own the connection until ``cancel()``, which it calls at its end.
final class ConnectionTimers {
    private let deadlines: DeadlineTimer
    private let tick: RepeatedTask

    init(_ connection: ServerConnection, _ eventLoop: any EventLoop, tick interval: Duration) {
        deadlines = DeadlineTimer(eventLoop)
        deadlines.onFire = { connection.expireCalls(.now()) }
        let amount = TimeAmount(interval)
        tick = eventLoop.scheduleRepeatedTask(initialDelay: amount, delay: amount) { _ in
            connection.tick(interval)
        }
    }

    func arm(_ instant: NIODeadline) {
        deadlines.arm(instant)
    }

    func cancel() {
        deadlines.cancel()
        tick.cancel()
    }
}

extension ServerConnection {
    fileprivate func tick(_ elapsed: Duration) {
        guard let transport, let session = transport.session, let context = transport.context else { return }
        guard isGreeted else {
            shared.logger.debug("peer did not finish its handshake", metadata: ["peer": "\(peer)"])
            close()
            return
        }
        let oldest = keepalive.ticks - Int(shared.configuration.requestTimeout / elapsed)
        for stream in session.streams {
            let stream = unsafeDowncast(stream, to: ServerStream.self)
            if !stream.hasPeerEnded, !stream.isAnswered, stream.openedAtTick < oldest {
                session.submitReset(stream, .cancel)
            } else if isStalled(stream, elapsed) {
                shared.logger.debug("peer takes no answer", metadata: ["peer": "\(peer)"])
                session.submitReset(stream, .cancel)
            }
        }
        keepalive.note(transport)
        let action = keepalive.tick(
            elapsed, isWaitingToWrite: !context.channel.isWritable,
            interval: shared.configuration.keepaliveInterval, timeout: shared.configuration.keepaliveTimeout)
        switch action {
        case .nothing: break
        case .ping: session.submitPing()
        case .close:
            shared.logger.debug("peer is silent or does not read; closed", metadata: ["peer": "\(peer)"])
            close()
            return
        }
        transport.flush()
    }

    /// Whether the peer has kept its flow-control window shut for as long as a silent peer may be silent. Frames other
    /// than DATA pass, so that the connection itself does not look stalled.
    private func isStalled(_ stream: ServerStream, _ elapsed: Duration) -> Bool {
        let isMoving = stream.unsentBytes == 0 || stream.outgoingOffset != stream.sentAtTick
        stream.stalledTicks = isMoving ? 0 : stream.stalledTicks + 1
        stream.sentAtTick = stream.outgoingOffset
        let patience = shared.configuration.keepaliveInterval + shared.configuration.keepaliveTimeout
        return elapsed * stream.stalledTicks >= patience
    }

    /// Takes no new calls, lets those in flight finish, then closes.
    func beginDrain() {
        guard case .serving = drainState, let session, let context = transport?.context else { return }
        drainState = .noticed
        session.submitShutdownNotice()
        session.submitPing()
        transport?.flush()
        context.eventLoop.scheduleTask(in: .seconds(1)) {
            if case .noticed = self.drainState { self.sendGoAway() }
        }
    }

    func sendGoAway() {
        drainState = .draining
        session?.submitGoAway(.noError)
        // May run inside a read, which flushes by itself; else this does.
        transport?.scheduleFlush()
    }
}
