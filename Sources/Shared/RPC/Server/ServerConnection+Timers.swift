import NIOCore

/// The timers of a server's connection: deadlines, the tick for keepalive and requests that never end, and its age.
///
/// They own the connection until ``cancel()``, which it calls at its end.
final class ConnectionTimers {
    /// Longest tick: often enough to act on slow readers when memory gets short.
    private static let tickMax: Duration = .seconds(5)
    /// Share by which the maximum age varies, so that connections made together do not end together.
    private static let ageJitter = 0.1

    private let deadlines: DeadlineTimer
    private let tick: RepeatedTask
    /// The maximum age, and the end of the grace time after it; empty where there is none.
    private let age: [Scheduled<Void>]

    init(_ connection: ServerConnection, _ eventLoop: any EventLoop, _ configuration: RPCServer.Configuration) {
        deadlines = DeadlineTimer(eventLoop)
        deadlines.onFire = { connection.expireCalls(.now()) }
        let interval = min(configuration.keepaliveTimeout, Self.tickMax)
        let amount = TimeAmount(interval)
        tick = eventLoop.scheduleRepeatedTask(initialDelay: amount, delay: amount) { _ in
            connection.tick(interval)
        }
        if let ageMax = configuration.connectionAgeMax {
            let age = TimeAmount(Self.age(max: ageMax, random: Double.random(in: 0..<1)))
            let grace = TimeAmount(configuration.connectionAgeGrace)
            self.age = [
                eventLoop.scheduleTask(in: age) { connection.reachedMaximumAge() },
                eventLoop.scheduleTask(in: age + grace) { connection.close() },
            ]
        } else {
            age = []
        }
    }

    /// The age at which one connection ends.
    ///
    /// - Parameter random: 0 ..< 1.
    static func age(max: Duration, random: Double) -> Duration {
        max * (1 - ageJitter + 2 * ageJitter * random)
    }

    func arm(_ instant: NIODeadline) {
        deadlines.arm(instant)
    }

    func cancel() {
        deadlines.cancel()
        tick.cancel()
        for timer in age { timer.cancel() }
    }
}

extension ServerConnection {
    /// Starts the graceful shutdown. Its peer makes a new connection, and loses no call.
    fileprivate func reachedMaximumAge() {
        shared.logger.debug("connection reached its maximum age", metadata: ["peer": "\(peer)"])
        transport?.beginDrain()
    }

    fileprivate func tick(_ elapsed: Duration) {
        guard let transport, let session = transport.session, let context = transport.context else { return }
        guard isGreeted || elapsed * (keepalive.ticks + 1) < shared.configuration.keepaliveTimeout else {
            shared.logger.debug("peer did not finish its handshake", metadata: ["peer": "\(peer)"])
            close()
            return
        }
        let now = NIODeadline.now()
        let rate = answerRate()
        let isMoving = throughput.isMoving(session.streams, written: transport.writtenBytes, now: now, rate: rate)
        let oldest = keepalive.ticks - Int(shared.configuration.requestTimeout / elapsed)
        for stream in session.streams {
            let stream = unsafeDowncast(stream, to: ServerStream.self)
            if !stream.hasPeerEnded, !stream.isAnswered, stream.openedAtTick < oldest {
                session.submitReset(stream, .cancel)
            } else if isStalled(stream, session, rate, now), !isMoving || session.isBlocked(stream) {
                shared.logger.debug("peer takes no answer", metadata: ["peer": "\(peer)"])
                session.submitReset(stream, .cancel)
            }
        }
        if session.streams.isEmpty {
            transport.releaseSpareMemory()
            executor?.releaseSpareMemory()
        }
        keepalive.observe(transport)
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

    /// Whether the peer reads an answer too slowly; a byte now and then is no progress. Frames other than DATA pass, so
    /// that the connection itself does not look stalled.
    private func isStalled(
        _ stream: ServerStream, _ session: HTTP2Session, _ rate: ProgressRate, _ now: NIODeadline
    ) -> Bool {
        stream.progress.isLate(bytesLeft: stream.unsentBytes, taken: stream.sentBytes, now: now, rate: rate)
    }

    /// Rate at which peers must read answers: within the time that a silent peer has, and faster while memory is short.
    private func answerRate() -> ProgressRate {
        let configuration = shared.configuration
        return ProgressRate(
            window: TimeAmount(configuration.keepaliveInterval + configuration.keepaliveTimeout),
            bytesMin: configuration.answerBytesMin
        ).adapted(to: configuration.memory)
    }
}
