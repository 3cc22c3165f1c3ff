import NIOCore

/// The queue of calls for which no connection has room: how long they wait, and how many may.
extension LoopClient {
    /// Queues a call that no connection can take now, or fails it at once when it must not wait.
    func enqueue(_ call: ClientCall) {
        if failsFast(call), let reason = unavailableReason() {
            end(call, .givenUp(reason))
            return
        }
        if waiting.count >= configuration.waitingCallsMax { waiting.removeAll { $0.isFinished } }
        guard waiting.count < configuration.waitingCallsMax else {
            let status =
                isConnected
                ? Status(.resourceExhausted, "too many calls wait for the service")
                : Status(.unavailable, "too many calls wait for a connection to the service")
            end(call, .givenUp(status))
            return
        }
        if call.isProbe { waiting.prepend(call) } else { waiting.append(call) }
        if !isConnected { limitWait(of: call, .now() + TimeAmount(configuration.connectWait)) }
        if subchannels.isEmpty, resolveFailure != nil { resolveAgain() }
    }

    /// Updates the queue after any change of the connections: sends the calls that can be sent now. The others wait for
    /// room as long as their deadlines allow, but for a connection at most ``RPCClient/Configuration/connectWait``.
    func connectionsChanged() {
        sendWaiting()
        let wasConnected = isConnected
        isConnected = ready.contains { $0.allowsCalls }
        guard isConnected != wasConnected, !waiting.isEmpty else { return }
        if isConnected {
            for call in waiting { call.connectBy = .distantFuture }
        } else {
            let connectBy = NIODeadline.now() + TimeAmount(configuration.connectWait)
            for call in waiting { limitWait(of: call, connectBy) }
        }
    }

    private func limitWait(of call: ClientCall, _ connectBy: NIODeadline) {
        guard !call.isFinished, !failsFast(call) else { return }
        call.connectBy = connectBy
        deadlines.arm(connectBy)
    }

    /// Fails the queued calls that fail fast, unless there is a connection or an attempt to make one.
    func failQueuedCallsIfUnreachable() {
        guard !waiting.isEmpty, let status = unavailableReason() else { return }
        let failing = waiting.filter { failsFast($0) && !$0.isFinished }
        guard !failing.isEmpty else { return }
        waiting.removeAll { failsFast($0) }
        for call in failing { end(call, .givenUp(status)) }
    }

    /// Whether a call does not wait for a connection. A probe asks for the service's present state.
    private func failsFast(_ call: ClientCall) -> Bool {
        call.isProbe || configuration.connectWait <= .zero
    }

    /// Why there is no connection; `nil` while one is ready or being made.
    private func unavailableReason() -> Status? {
        if !retired.isEmpty { return nil }
        if subchannels.isEmpty { return resolveFailure }
        return subchannels.contains { $0.isConnecting || $0.isReady } ? nil : noConnection
    }

    /// The status of a call that has waited for a connection for too long.
    var noConnection: Status {
        (subchannels.isEmpty ? resolveFailure : nil) ?? Status(.unavailable, "the service can't be reached")
    }
}
