import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing

@testable import RPC

@Suite struct EventLoopExecutorTests {
    @Test("jobs run on the loop, each once, in the order in which they came, also those that come while others run")
    func order() async {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let executor = EventLoopExecutor(eventLoop)
        let ran = NIOLockedValueBox<[Int]>([])
        let tasks = (0..<1_000).map { number in
            Task(executorPreference: executor) {
                let isInLoop = eventLoop.inEventLoop
                ran.withLockedValue { $0.append(number) }
                await Task.yield()
                return isInLoop && eventLoop.inEventLoop
            }
        }
        for task in tasks { #expect(await task.value) }
        #expect(ran.withLockedValue { $0 } == Array(0..<1_000))
    }
}
