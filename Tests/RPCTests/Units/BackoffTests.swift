import Testing

@testable import RPC

@Suite("Backoff")
struct BackoffTests {
    @Test("waits grow from the first to the longest and stay there")
    func growth() {
        let backoff = Backoff()
        let waits = (1...100).map { backoff.wait(after: $0, random: 0.5) }
        #expect(waits[0] == .milliseconds(100))
        #expect(waits[1] == .milliseconds(160))
        for (wait, next) in zip(waits, waits.dropFirst()) { #expect(wait <= next) }
        #expect(waits.last == .seconds(5))
        #expect(backoff.wait(after: .max, random: 0.5) == .seconds(5))
        #expect(backoff.wait(after: 0, random: 0.5) == .milliseconds(100))
    }

    @Test("jitter moves a wait by a fifth at most")
    func jitter() {
        let backoff = Backoff()
        #expect(backoff.wait(after: 1, random: 0) == .milliseconds(80))
        #expect(backoff.wait(after: 1, random: 0.999_999) < .milliseconds(120))
        #expect(backoff.wait(after: 50, random: 0.999_999) < .seconds(6))
    }
}

@Suite("The budget of retries")
struct RetryBudgetTests {
    @Test("retries stop when it is used up, and ten calls earn one")
    func earning() {
        let budget = RetryBudget(tokensMax: 2)
        #expect(budget.takeRetry())
        #expect(budget.takeRetry())
        #expect(!budget.takeRetry())
        for _ in 0..<9 { budget.callBegan() }
        #expect(!budget.takeRetry())
        budget.callBegan()
        #expect(budget.takeRetry())
        #expect(!budget.takeRetry())
    }

    @Test("it holds no more than its bound, however many calls there are")
    func bound() {
        let budget = RetryBudget(tokensMax: 1)
        for _ in 0..<1_000 { budget.callBegan() }
        #expect(budget.takeRetry())
        #expect(!budget.takeRetry())
    }
}

@Suite("Keepalive")
struct KeepaliveStateTests {
    private func tick(_ state: inout KeepaliveState, waiting: Bool = false) -> KeepaliveState.Action {
        state.tick(.seconds(20), isWaitingToWrite: waiting, interval: .seconds(60), timeout: .seconds(20))
    }

    @Test("a silent peer is pinged, and given up when it says nothing to that")
    func silent() {
        var state = KeepaliveState()
        let actions = (1...4).map { _ in tick(&state) }
        #expect(actions == [.nothing, .nothing, .ping, .close])
    }

    @Test("a peer that answers is not silent")
    func answering() {
        var state = KeepaliveState()
        for _ in 0..<10 {
            let actions = (1...3).map { _ in tick(&state) }
            state.hasRead = true
            let next = tick(&state)
            #expect(actions == [.nothing, .nothing, .ping])
            #expect(next == .nothing)
        }
    }

    @Test("a peer that takes nothing is given up though it talks")
    func stalled() {
        var state = KeepaliveState()
        var actions: [KeepaliveState.Action] = []
        for _ in 0..<4 {
            state.hasRead = true
            actions.append(tick(&state, waiting: true))
        }
        #expect(actions == [.nothing, .nothing, .nothing, .close])
    }

    @Test("a peer that takes something now and then is kept")
    func slow() {
        var state = KeepaliveState()
        for round in 0..<20 {
            state.hasRead = true
            state.hasWritten = round % 3 == 0
            let action = tick(&state, waiting: true)
            #expect(action == .nothing)
        }
    }
}
