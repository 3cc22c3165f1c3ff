import Synchronization
import TestSupport
import Testing

@testable import VesselService

/// What many callers want of one thing goes together, and nobody pays for another.
@Suite(.timeLimit(.minutes(10))) struct KeyedBatchesTests {
    private struct Refused: Error, Equatable {
        let item: Int
    }

    /// Batches whose first one is held until `open`.
    private final class Held: Sendable {
        let seen = Mutex<[String: [[Int]]]>([:])
        private let isOpen = Mutex(false)

        func open() {
            isOpen.withLock { $0 = true }
        }

        func batches(countMax: Int) -> KeyedBatches<Int, Int> {
            KeyedBatches(countMax: countMax) { key, items in
                self.seen.withLock { $0[key, default: []].append(items) }
                #expect(await eventually(within: .seconds(20)) { self.isOpen.withLock { $0 } })
                // Every fifth is refused.
                return items.map { $0 % 5 == 4 ? .failure(Refused(item: $0)) : .success($0 * 10) }
            }
        }
    }

    @Test("what comes meanwhile goes together next, as many as may, and each gets its own result")
    func together() async throws {
        let held = Held()
        let batches = held.batches(countMax: 4)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for item in 0..<10 {
                tasks.addTask { () async throws in
                    if item % 5 == 4 {
                        await #expect(throws: Refused(item: item)) { try await batches.result(of: item, for: "key") }
                    } else {
                        #expect(try await batches.result(of: item, for: "key") == item * 10)
                    }
                }
                // In this order: the first is at work, and those behind it wait.
                #expect(
                    await eventually(within: .seconds(10)) {
                        held.seen.withLock { $0["key"] == [[0]] } && batches.waitingCount(for: "key") == item
                    })
            }
            held.open()
            try await tasks.waitForAll()
        }
        #expect(held.seen.withLock { $0["key"] } == [[0], [1, 2, 3, 4], [5, 6, 7, 8], [9]])
        #expect(try await batches.result(of: 7, for: "key") == 70)
    }

    @Test("another key waits for nobody")
    func keys() async throws {
        let held = Held()
        let batches = held.batches(countMax: 4)
        async let first = batches.result(of: 1, for: "one")
        async let second = batches.result(of: 2, for: "two")
        #expect(await eventually(within: .seconds(10)) { held.seen.withLock { $0.count } == 2 })
        held.open()
        let results = try await [first, second]
        #expect(results == [10, 20])
    }

    @Test("a caller who leaves ends nothing for those who wait with him")
    func leaving() async throws {
        let held = Held()
        let batches = held.batches(countMax: 4)
        let first = Task { try await batches.result(of: 1, for: "key") }
        #expect(await eventually(within: .seconds(10)) { held.seen.withLock { $0["key"] == [[1]] } })
        let others = [2, 3].map { item in Task { try await batches.result(of: item, for: "key") } }
        #expect(await eventually(within: .seconds(10)) { batches.waitingCount(for: "key") == 2 })
        first.cancel()
        others[0].cancel()
        held.open()
        #expect(try await first.value == 10)
        #expect(try await others[0].value == 20)
        #expect(try await others[1].value == 30)
    }
}
