import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import APIGateway
@testable import RPC

/// On an event loop whose clock stands still between the steps that a test asks for.
@Suite("The queues of an event loop") struct LoopShedderTests {
    private let eventLoop = NIOAsyncTestingEventLoop()
    private let isReachable = NIOLockedValueBox(true)
    private let log = LogCapture()
    private let shedder: LoopShedder
    private let outcomes = NIOLockedValueBox<[String]>([])

    init() {
        let isReachable = isReachable
        let method = LoadShedder.Method(
            name: "a.Service/Method", bounds: .init(inFlightMax: 2, waitMax: .milliseconds(50))
        ) { _ in
            isReachable.withLockedValue { $0 }
        }
        shedder = LoopShedder(eventLoop, methods: [method], log: SheddingLog(log.logger()))
    }

    @discardableResult
    private func call(bytes: Int = 0) -> Task<Void, Never> {
        Task(executorPreference: EventLoopExecutor(eventLoop)) { [shedder, outcomes] in
            let turn = shedder.tryStart(0) ? .start : await shedder.waitForTurn(0, bytes: bytes)
            outcomes.withLockedValue { $0.append("\(turn)") }
        }
    }

    private func onLoop<Value: Sendable>(_ body: @escaping @Sendable (LoopShedder) -> Value) async throws -> Value {
        try await eventLoop.executeInContext { [shedder] in body(shedder) }
    }

    private var queued: Int { shedder.counters[0].queued.load(ordering: .relaxed) }

    private func becomes(_ expected: [String]) async throws {
        try await eventually("\(expected)") {
            await eventLoop.run()
            return outcomes.withLockedValue { $0 == expected }
        }
    }

    @Test("a call waits for the end of another, and goes on then")
    func turn() async throws {
        call()
        call()
        try await becomes(["start", "start"])
        call(bytes: 70)
        try await eventually("the third waits") { queued == 1 }
        let held = try await onLoop { $0.queuedBytes }
        #expect(held == 70)
        try await onLoop { $0.finished(0, now: .now()) }
        try await becomes(["start", "start", "start"])
        let heldLater = try await onLoop { $0.queuedBytes }
        #expect(heldLater == 0 && queued == 0)
    }

    @Test("a caller that leaves takes no place, and what it held is free")
    func cancelled() async throws {
        call()
        call()
        try await becomes(["start", "start"])
        let waiting = call(bytes: 5)
        try await eventually("the third waits") { queued == 1 }
        waiting.cancel()
        try await becomes(["start", "start", "gone"])
        try await onLoop { $0.finished(0, now: .now()) }
        let (held, isFree) = try await onLoop { ($0.queuedBytes, $0.tryStart(0)) }
        #expect(held == 0 && isFree)
        // One that left before it came.
        Task(executorPreference: EventLoopExecutor(eventLoop)) { [shedder, outcomes] in
            withUnsafeCurrentTask { $0?.cancel() }
            let turn = await shedder.waitForTurn(0, bytes: 0)
            outcomes.withLockedValue { $0.append("\(turn)") }
        }
        try await becomes(["start", "start", "gone", "gone"])
    }

    @Test("calls that wait for a connection do not queue, and those that queue when it is lost go on")
    func unreachable() async throws {
        call()
        call()
        try await becomes(["start", "start"])
        call()
        try await eventually("the third waits") { queued == 1 }
        isReachable.withLockedValue { $0 = false }
        call()
        try await becomes(["start", "start", "start"])
        await eventLoop.advanceTime(by: LoopShedder.checkInterval)
        try await becomes(["start", "start", "start", "start"])
        #expect(log.isEmpty)
    }

    @Test("the log says once that calls are refused, and once that it is over, with their number")
    func logLines() async throws {
        call()
        call()
        try await becomes(["start", "start"])
        let wait = "shed(APIGateway.SheddingReason.wait)"
        for count in 1...3 {
            call()
            try await eventually("one waits") { queued == 1 }
            try await eventually("it is refused") {
                await eventLoop.advanceTime(by: LoopShedder.checkInterval)
                return outcomes.withLockedValue { $0.count == 2 + count }
            }
        }
        try await becomes(["start", "start", wait, wait, wait])
        #expect(shedder.counters[0].count(.wait) == 3 && shedder.counters[0].count(.queue) == 0)
        await eventLoop.advanceTime(by: LoopShedder.calmInterval * 3)
        let lines = log.text.split(separator: "\n")
        #expect(lines.count == 2, "\(log.text)")
        #expect(lines.first?.contains("warning load shedding began") == true && lines[0].contains("a.Service/Method"))
        #expect(lines.last?.contains("notice load shedding ended") == true && lines[1].contains("\"shed\": 3"))
    }

    @Test("bytes that wait are bounded, whatever their number of calls")
    func bytes() async throws {
        call()
        call()
        try await becomes(["start", "start"])
        call(bytes: LoopShedder.queuedBytesMax)
        try await eventually("one waits") { queued == 1 }
        call(bytes: 1)
        try await becomes(["start", "start", "shed(APIGateway.SheddingReason.queue)"])
        #expect(shedder.counters[0].count(.queue) == 1)
        try await onLoop { $0.finished(0, now: .now()) }
        try await becomes(["start", "start", "shed(APIGateway.SheddingReason.queue)", "start"])
    }
}
