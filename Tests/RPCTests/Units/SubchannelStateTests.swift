import Testing

@testable import RPC

@Suite("The states of an address")
struct SubchannelStateTests {
    private func ready() -> SubchannelState {
        var state = SubchannelState(backoff: Backoff())
        _ = state.connectIfIdle()
        state.connected()
        return state
    }

    @Test("it is connected to when it is first wanted, and only once")
    func want() {
        var state = SubchannelState(backoff: Backoff())
        let actions = [state.connectIfIdle(), state.connectIfIdle()]
        #expect(actions == [.connect, .nothing])
        state.connected()
        #expect(state.state == .ready)
        let action = state.connectIfIdle()
        #expect(action == .nothing)
    }

    @Test("failed attempts wait longer and longer, and a connection that lived makes up for them")
    func failures() {
        var state = SubchannelState(backoff: Backoff())
        _ = state.connectIfIdle()
        let first = state.failed(random: 0.5)
        let again = state.retry()
        let second = state.failed(random: 0.5)
        #expect([first, again, second] == [.wait(.milliseconds(100)), .connect, .wait(.milliseconds(160))])
        _ = state.retry()
        state.connected()
        let lost = state.ended(lived: .seconds(1), hasAnswered: false, random: 0.5)
        let third = state.failed(random: 0.5)
        #expect([lost, third] == [.connect, .wait(.milliseconds(160))])
    }

    @Test("a server that ends each connection at once is tried once more, and then waited for longer and longer")
    func shortLives() {
        var state = ready()
        var waits: [SubchannelState.Action] = []
        for _ in 0..<3 {
            waits.append(state.ended(lived: .milliseconds(1), hasAnswered: false, random: 0.5))
            _ = state.retry()
            state.connected()
        }
        #expect(waits == [.connect, .wait(.milliseconds(160)), .wait(.milliseconds(256))])
    }

    @Test("a connection that answered a call is replaced at once, however short its life")
    func answered() {
        var state = ready()
        var actions: [SubchannelState.Action] = []
        for _ in 0..<3 {
            actions.append(state.ended(lived: .milliseconds(1), hasAnswered: true, random: 0.5))
            state.connected()
        }
        #expect(actions == [.connect, .connect, .connect])
    }

    @Test("another loop's success ends the wait after a refused attempt, but not the one after short connections")
    func otherLoop() {
        var refused = SubchannelState(backoff: Backoff())
        _ = refused.connectIfIdle()
        let whileConnecting = refused.otherLoopConnected()
        _ = refused.failed(random: 0.5)
        let woken = [refused.otherLoopConnected(), refused.retry()]
        #expect(whileConnecting == .nothing)
        #expect(woken == [.connect, .nothing])

        var short = ready()
        _ = short.ended(lived: .zero, hasAnswered: false, random: 0.5)
        short.connected()
        _ = short.ended(lived: .zero, hasAnswered: false, random: 0.5)
        let asleep = [short.otherLoopConnected(), short.retry()]
        #expect(asleep == [.nothing, .connect])
        _ = short.failed(random: 0.5)
        let awake = short.otherLoopConnected()
        #expect(awake == .connect)
    }

    @Test("an address that the name has lost stays while it is connected, and is as before when the name has it again")
    func retired() {
        var state = ready()
        state.retire()
        state.retire()
        #expect(state.state == .retired)
        state.restore()
        state.restore()
        #expect(state.state == .ready)
        let lost = state.ended(lived: .seconds(1), hasAnswered: true, random: 0.5)
        #expect(lost == .connect)
        // Not connected any more.
        state.retire()
        #expect(state.state == .shutdown)
        state.restore()
        #expect(state.state == .shutdown)
    }

    @Test("a connection that ends after its address was lost is not made again")
    func retiredEnds() {
        var state = ready()
        state.retire()
        let wanted = [state.connectIfIdle(), state.otherLoopConnected(), state.retry(), state.failed(random: 0)]
        #expect(wanted == [.nothing, .nothing, .nothing, .nothing])
        #expect(state.state == .retired)
        let action = state.ended(lived: .seconds(1), hasAnswered: true, random: 0.5)
        #expect(action == .nothing)
        #expect(state.state == .shutdown)
    }

    @Test("what comes at the wrong time changes nothing")
    func wrongTimes() {
        var idle = SubchannelState(backoff: Backoff())
        let early = [idle.retry(), idle.failed(random: 0), idle.ended(lived: .zero, hasAnswered: false, random: 0)]
        idle.connected()
        #expect(early == [.nothing, .nothing, .nothing])
        #expect(idle.state == .idle)

        var removed = ready()
        removed.remove()
        let late = [
            removed.connectIfIdle(), removed.retry(), removed.failed(random: 0), removed.otherLoopConnected(),
            removed.ended(lived: .zero, hasAnswered: false, random: 0),
        ]
        removed.connected()
        #expect(late == [.nothing, .nothing, .nothing, .nothing, .nothing])
        #expect(removed.state == .shutdown)
    }
}
