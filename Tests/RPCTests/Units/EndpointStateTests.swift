import Testing

@testable import RPC

@Suite("The states of an address")
struct EndpointStateTests {
    private func ready() -> EndpointState {
        var state = EndpointState(backoff: Backoff())
        _ = state.want()
        state.connected()
        return state
    }

    @Test("it is connected to when it is first wanted, and only once")
    func want() {
        var state = EndpointState(backoff: Backoff())
        let actions = [state.want(), state.want()]
        #expect(actions == [.connect, .nothing])
        state.connected()
        #expect(state.state == .ready)
        let action = state.want()
        #expect(action == .nothing)
    }

    @Test("failed attempts wait longer and longer, and a connection that lived makes up for them")
    func failures() {
        var state = EndpointState(backoff: Backoff())
        _ = state.want()
        let first = state.failed(random: 0.5)
        let again = state.retry()
        let second = state.failed(random: 0.5)
        #expect([first, again, second] == [.wait(.milliseconds(100)), .connect, .wait(.milliseconds(160))])
        _ = state.retry()
        state.connected()
        let lost = state.ended(lived: .seconds(1), random: 0.5)
        let third = state.failed(random: 0.5)
        #expect([lost, third] == [.connect, .wait(.milliseconds(100))])
    }

    @Test("a server that ends each connection at once is waited for longer and longer")
    func shortLives() {
        var state = ready()
        var waits: [EndpointState.Action] = []
        for _ in 0..<3 {
            waits.append(state.ended(lived: .milliseconds(1), random: 0.5))
            #expect(state.state == .waiting)
            _ = state.retry()
            state.connected()
        }
        #expect(waits == [.wait(.milliseconds(100)), .wait(.milliseconds(160)), .wait(.milliseconds(256))])
    }

    @Test("what comes at the wrong time changes nothing")
    func wrongTimes() {
        var idle = EndpointState(backoff: Backoff())
        let early = [idle.retry(), idle.failed(random: 0), idle.ended(lived: .zero, random: 0)]
        idle.connected()
        #expect(early == [.nothing, .nothing, .nothing])
        #expect(idle.state == .idle)

        var removed = ready()
        removed.remove()
        let late = [removed.want(), removed.retry(), removed.failed(random: 0), removed.ended(lived: .zero, random: 0)]
        removed.connected()
        #expect(late == [.nothing, .nothing, .nothing, .nothing])
        #expect(removed.state == .removed)
    }
}
