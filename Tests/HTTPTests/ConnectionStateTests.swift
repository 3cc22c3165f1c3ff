import NIOCore
import Testing

@testable import HTTP

/// A connection's state by reference, which is what expectations can take.
private final class Machine {
    private var state = ConnectionState(bodyBytesMax: 10, turnsMax: 3)

    var wantsInput: Bool { state.wantsInput }
    var isIdle: Bool { state.isIdle }
    var heldBytes: Int { state.heldBytes }

    func head(_ path: String, _ headers: KeyValuePairs<String, String> = [:], method: String = "POST") {
        let fields = headers.map { "\($0.key): \($0.value)\r\n" }.joined()
        var bytes = ByteBuffer(string: "\(method) \(path) HTTP/1.1\r\nhost: x\r\n\(fields)\r\n")
        var parser = HTTP1Parser(limits: .init(headBytesMax: 1_024, fieldsMax: 10))
        guard case .head(let head) = parser.next(&bytes) else {
            Issue.record("no head")
            return
        }
        state.received(head: head, peer: "")
    }

    func body(_ text: String) {
        var body = ByteBuffer(string: text)
        state.received(body: &body)
    }

    func receivedEnd() { state.receivedEnd() }

    func receive(_ path: String, _ headers: KeyValuePairs<String, String> = [:], method: String = "POST") {
        head(path, headers, method: method)
        receivedEnd()
    }

    func rejectNewest(partialIsHead: Bool = false) { state.rejectNewest(partialIsHead: partialIsHead) }

    func receivedBytes() { state.receivedBytes() }
    func inputEnded() { state.inputEnded() }
    func drain() { state.drain() }
    func endIdle() { state.endIdle() }
    func answered() -> Bool { state.answered() }

    /// The step in a few words.
    func step() -> String {
        switch state.next() {
        case .wait: "wait"
        case .sendContinue: "continue"
        case .answer(let request, _): "answer \(request.path)"
        case .reject(let rejection, let toHead): "reject \(rejection)" + (toHead ? " of HEAD" : "")
        case .finish: "finish"
        case .close: "close"
        }
    }
}

/// A stall watch, likewise.
private final class Watch {
    private var watch = StallWatch()

    func elapsed(_ wait: StallWatch.Wait, progress: Int, now: NIODeadline) -> TimeAmount {
        watch.elapsed(wait, progress: progress, now: now)
    }
}

@Suite("A connection's state")
struct ConnectionStateTests {
    @Test("one request is worked on at a time, and a queue stops the reading")
    func turns() {
        let state = Machine()
        state.receive("/1")
        state.receive("/2")
        #expect(!state.wantsInput)
        #expect(state.step() == "answer /1")
        #expect(state.step() == "wait")
        #expect(state.answered())
        #expect(state.step() == "answer /2")
        #expect(state.wantsInput)
        #expect(state.answered())
        #expect(state.step() == "wait")
        #expect(state.isIdle)
    }

    @Test("a queue over its bound ends in a rejection and holds nothing more")
    func bound() {
        let state = Machine()
        for index in 1...5 { state.receive("/\(index)") }
        #expect(state.step() == "reject malformed")
        #expect(!state.answered())
        #expect(state.step() == "finish")
        #expect(state.step() == "wait")
    }

    @Test("a request holds memory for its head and body until it is answered")
    func heldBytes() {
        let state = Machine()
        let field = String(repeating: "y", count: 800)
        state.head("/1?" + String(repeating: "z", count: 100), ["x": field])
        let head = state.heldBytes
        #expect(head >= 1_024 + 900)
        state.body("abc")
        #expect(state.heldBytes > head)
        state.receivedEnd()
        #expect(state.heldBytes > head)
        #expect(state.step().hasPrefix("answer"))
        #expect(state.heldBytes > head)
        #expect(state.answered())
        #expect(state.heldBytes == 0)
    }

    @Test("100 is sent when it is the request's turn, once, and not to a peer that goes ahead")
    func expectation() {
        let state = Machine()
        state.receive("/1")
        state.head("/2", ["expect": "100-continue"])
        #expect(state.step() == "answer /1")
        #expect(state.step() == "wait")
        #expect(state.answered())
        #expect(state.step() == "continue")
        #expect(state.step() == "wait")
        state.receivedEnd()
        #expect(state.step() == "answer /2")
        #expect(state.answered())
        state.head("/3", ["expect": "100-continue"])
        state.body("a")
        #expect(state.step() == "wait")
    }

    @Test("after the last request nothing more is heard")
    func last() {
        let state = Machine()
        state.receive("/1", ["connection": "close"])
        state.receive("/2")
        #expect(state.step() == "answer /1")
        #expect(!state.answered())
        #expect(state.step() == "finish")
    }

    @Test("draining lets a queue be answered, the last with a farewell, and an idle connection send one request more")
    func drain() {
        let idle = Machine()
        idle.drain()
        #expect(idle.step() == "wait")
        idle.receive("/1")
        #expect(idle.step() == "answer /1")
        #expect(!idle.answered())
        #expect(idle.step() == "finish")
        let busy = Machine()
        busy.receive("/1")
        busy.receive("/2")
        busy.drain()
        #expect(busy.step() == "answer /1")
        #expect(busy.answered())
        #expect(busy.step() == "answer /2")
        #expect(!busy.answered())
        #expect(busy.step() == "finish")
    }

    @Test("a connection that stays idle while it drains is closed, one with a request is not")
    func endIdle() {
        let idle = Machine()
        idle.drain()
        idle.endIdle()
        #expect(idle.step() == "close")
        let receiving = Machine()
        receiving.head("/1")
        receiving.endIdle()
        #expect(receiving.step() == "wait")
        receiving.receivedEnd()
        #expect(receiving.step() == "answer /1")
        receiving.endIdle()
        #expect(receiving.step() == "wait")
        #expect(!receiving.answered())
        #expect(receiving.step() == "finish")
    }

    @Test("draining waits for a request that is being received")
    func drainWhileReceiving() {
        let state = Machine()
        state.head("/1")
        state.drain()
        #expect(state.step() == "wait")
        state.receivedEnd()
        #expect(state.step() == "answer /1")
        #expect(!state.answered())
    }

    @Test("the end of input lets what is complete be answered, and forgets the rest")
    func inputEnded() {
        let state = Machine()
        state.receive("/1")
        state.head("/2")
        state.inputEnded()
        #expect(state.step() == "answer /1")
        #expect(!state.answered())
        #expect(state.step() == "close")
    }

    @Test("a body over the bound is rejected, declared or not")
    func bodyBound() {
        let declared = Machine()
        declared.head("/1", ["content-length": "11"])
        #expect(declared.step() == "reject bodyTooLarge")
        let chunked = Machine()
        chunked.head("/1", ["transfer-encoding": "chunked"])
        for _ in 0..<3 {
            chunked.body("aaaa")
        }
        #expect(chunked.step() == "reject bodyTooLarge")
    }

    @Test("a rejection says whether it is for HEAD")
    func rejectedHead() {
        let declared = Machine()
        declared.head("/1", ["content-length": "11"], method: "HEAD")
        #expect(declared.step() == "reject bodyTooLarge of HEAD")
        let chunked = Machine()
        chunked.head("/1", ["transfer-encoding": "chunked"], method: "HEAD")
        chunked.body("aaaaaaaaaaa")
        #expect(chunked.step() == "reject bodyTooLarge of HEAD")
        let partial = Machine()
        partial.head("/1", method: "HEAD")
        partial.rejectNewest(partialIsHead: true)
        #expect(partial.step() == "reject outOfMemory of HEAD")
        let newest = Machine()
        newest.receive("/1")
        newest.receive("/2", method: "HEAD")
        newest.rejectNewest()
        #expect(newest.step() == "answer /1")
        #expect(newest.answered())
        #expect(newest.step() == "reject outOfMemory of HEAD")
    }

    @Test("a rejection in place of dropped requests is the answer to the first of them")
    func droppedHead() {
        let first = Machine()
        first.receive("/1", method: "HEAD")
        for index in 2...4 { first.receive("/\(index)") }
        #expect(first.step() == "reject malformed of HEAD")
        let last = Machine()
        for index in 1...3 { last.receive("/\(index)") }
        last.receive("/4", method: "HEAD")
        #expect(last.step() == "reject malformed")
    }

    @Test("a wait is measured from when it was first seen, and anew when something happened")
    func stallWatch() {
        let watch = Watch()
        let start = NIODeadline.uptimeNanoseconds(1)
        #expect(watch.elapsed(.request, progress: 0, now: start) == .zero)
        #expect(watch.elapsed(.request, progress: 0, now: start + .seconds(3)) == .seconds(3))
        #expect(watch.elapsed(.request, progress: 1, now: start + .seconds(4)) == .zero)
        #expect(watch.elapsed(.linger, progress: 1, now: start + .seconds(5)) == .zero)
        #expect(watch.elapsed(.linger, progress: 1, now: start + .seconds(6)) == .seconds(1))
        #expect(watch.elapsed(.idle, progress: 1, now: start + .seconds(7)) == .zero)
    }

    @Test(
        "dates have the form of the standard",
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"), (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
        ])
    func dates(second: Int, text: String) {
        #expect(HTTPDate.format(secondsSince1970: second) == text)
    }
}
