import NIOCore

/// Calls that find no connection, or none with room: how long they wait, and how many may.
extension LoopClient {
    /// Queues a call that no connection can take now, or ends it where it need not wait.
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
        if endpoints.isEmpty, resolveFailure != nil { resolveAgain() }
    }

    /// After any change of what connections there are and what they may take: sends what can be sent now. What is left
    /// waits for room as long as its deadline allows, but for a connection no longer than ``RPCClient/Configuration/connectWait``.
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

    /// After a failure: ends the calls that don't wait for a connection that nobody is making.
    func failQueuedCallsIfUnreachable() {
        guard !waiting.isEmpty, let status = unavailableReason() else { return }
        let failing = waiting.filter { failsFast($0) && !$0.isFinished }
        guard !failing.isEmpty else { return }
        waiting.removeAll { failsFast($0) }
        for call in failing { end(call, .givenUp(status)) }
    }

    /// A probe asks how the service is now, not how it will be.
    private func failsFast(_ call: ClientCall) -> Bool {
        call.isProbe || configuration.connectWait <= .zero
    }

    /// Why there is no connection, while nobody is making one; `nil` else.
    private func unavailableReason() -> Status? {
        if endpoints.isEmpty { return resolveFailure }
        return endpoints.contains { $0.isConnecting || $0.isReady } ? nil : noConnection
    }

    /// What a call fails with that has waited for a connection in vain.
    var noConnection: Status {
        (endpoints.isEmpty ? resolveFailure : nil) ?? Status(.unavailable, "the service can't be reached")
    }
}
