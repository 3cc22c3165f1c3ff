import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import APIGateway
@testable import RPC

/// On an event loop whose clock stands still between the steps that a test asks for.
@Suite("Delays of rejections")
struct RejectionDelayTests {
    private let eventLoop = NIOAsyncTestingEventLoop()
    private let delay: RejectionDelay
    /// Callers that went on, in that order.
    private let gone = NIOLockedValueBox<[Int]>([])

    init() {
        delay = RejectionDelay(eventLoop)
    }

    private func call(_ callers: ClosedRange<Int>) {
        let executor = EventLoopExecutor(eventLoop)
        for caller in callers {
            Task(executorPreference: executor) { [delay, gone] in
                await delay.wait()
                gone.withLockedValue { $0.append(caller) }
            }
        }
    }

    private var waiting: Int {
        get async throws { try await eventLoop.executeInContext { [delay] in delay.count } }
    }

    /// Lets so many steps pass, and tells who has gone on since then or before, once they are `count`.
    private func goneAfter(_ steps: Int, count: Int) async throws -> Set<Int> {
        await eventLoop.advanceTime(by: RejectionDelay.step * steps)
        try await eventually("\(count) gone") { gone.withLockedValue { $0.count } >= count }
        return Set(gone.withLockedValue { $0 })
    }

    @Test("a rejected caller waits for four to five steps")
    func steps() async throws {
        call(0...0)
        try await eventually("the first waits") { try await waiting == 1 }
        // Half a step later than the first.
        await eventLoop.advanceTime(by: .milliseconds(5))
        call(1...1)
        try await eventually("the second waits") { try await waiting == 2 }
        await eventLoop.advanceTime(by: RejectionDelay.step * 4)
        let stillWaiting = try await waiting
        #expect(stillWaiting == 2)
        let gone = try await goneAfter(1, count: 2)
        #expect(gone == [0, 1])
    }

    @Test("one more than may wait goes on at once; the others wait, and then all places are free again")
    func bound() async throws {
        let last = RejectionDelay.waitingMax
        call(0...last - 1)
        try await eventually("all wait") { try await waiting == last }
        call(last...last)
        let early = try await goneAfter(0, count: 1)
        #expect(early == [last])
        let after = try await goneAfter(5, count: last + 1)
        #expect(after == Set(0...last))
        call(last + 1...last + 1)
        try await eventually("the last waits") { try await waiting == 1 }
        _ = try await goneAfter(5, count: last + 2)
    }
}
