import NIOConcurrencyHelpers
import NIOPosix
import Testing

@testable import APIGateway
@testable import RPC

@Suite("Pauses before refusals")
struct RefusalPauseTests {
    @Test("each of many refused callers waits and goes on, and one more than may wait does not")
    func all() async throws {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let pause = RefusalPause(eventLoop)
        let executor = EventLoopExecutor(eventLoop)
        let order = NIOLockedValueBox<[Int]>([])
        let last = RefusalPause.waitingMax
        await withTaskGroup { group in
            for caller in 0...last {
                group.addTask(executorPreference: executor) {
                    await pause.wait()
                    order.withLockedValue { $0.append(caller) }
                }
            }
        }
        let gone = order.withLockedValue { $0 }
        #expect(gone.count == last + 1)
        #expect(Set(gone).count == last + 1)

        // All places are free again.
        await withTaskGroup { group in
            group.addTask(executorPreference: executor) { await pause.wait() }
        }
    }
}
