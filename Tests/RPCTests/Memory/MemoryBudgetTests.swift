import NIOCore
import TestSupport
import Testing

@testable import RPC

@Suite("Memory budget of a process")
struct MemoryBudgetTests {
    private static let mebibyte = 1024 * 1024

    @Test("all shares together are less than two thirds of the limit, which has a minimum")
    func shares() {
        for limit in [0, 64, 256, 4_096].map({ $0 * Self.mebibyte }) {
            let budget = MemoryBudget(limitBytes: limit)
            let sum = MemoryBudget.Kind.allCases.reduce(0) { $0 + budget.bytesMax($1) }
            #expect(budget.limitBytes >= MemoryBudget.limitBytesMin)
            #expect(sum > budget.limitBytes / 4 && sum < budget.limitBytes / 3 * 2)
        }
    }

    @Test("bytes beyond a kind's share are rejected and counted, and room comes back; kinds are independent")
    func rejects() {
        let budget = MemoryBudget()
        let bytes = budget.bytesMax(.requests)
        #expect(budget.take(bytes, .requests))
        #expect(!budget.take(1, .requests))
        #expect(budget.take(1, .responses))
        #expect(budget.rejections(.requests) == 1)
        #expect(budget.usedBytes(.requests) == bytes)
        budget.release(bytes, .requests)
        #expect(budget.take(1, .requests))
    }

    @Test("large holders leave the last quarter to small ones")
    func leavesRoom() {
        let budget = MemoryBudget()
        var large: [MemoryReservation] = []
        while let one = MemoryReservation(Self.mebibyte, .requests, of: budget) { large.append(one) }
        #expect(budget.usedBytes(.requests) <= budget.bytesMax(.requests) / 4 * 3)
        var small: [MemoryReservation] = []
        while let one = MemoryReservation(32 * 1024, .requests, of: budget) { small.append(one) }
        #expect(small.count >= budget.bytesMax(.requests) / 4 / (32 * 1024))
        large = []
        small = []
        #expect(budget.usedBytes(.requests) == 0)
    }

    @Test("a reservation gives back what it shrinks by, and the rest once, when it is destroyed")
    func reservation() {
        let budget = MemoryBudget()
        var one = MemoryReservation(1_000_000, .responses, of: budget)
        #expect(budget.usedBytes(.responses) == 1_000_000)
        one?.shrink(to: 2_000_000)
        #expect(budget.usedBytes(.responses) == 1_000_000)
        one?.shrink(to: 10)
        #expect(budget.usedBytes(.responses) == 10)
        one = nil
        #expect(budget.usedBytes(.responses) == 0)
    }

    /// An account in a class, as in a connection.
    private final class Holder {
        var account: MemoryAccount
        init(_ budget: MemoryBudget) { account = MemoryAccount(.requests, of: budget) }
    }

    @Test("a connection that holds little costs the budget nothing, even when the budget is used up")
    func free() {
        let budget = MemoryBudget()
        #expect(budget.take(budget.bytesMax(.requests), .requests))
        let holder = Holder(budget)
        let isTaken = holder.account.take(MemoryAccount.freeBytes)
        #expect(isTaken)
        let isMoreTaken = holder.account.take(1)
        #expect(!isMoreTaken)
        #expect(holder.account.used == MemoryAccount.freeBytes)
    }

    @Test("an account reserves little more than it holds, and gives it back when it ends", arguments: 0..<20)
    func accounts(seed: UInt64) {
        var random = SeededNumbers(seed: seed)
        let budget = MemoryBudget()
        var holder: Holder? = Holder(budget)
        var held: [Int] = []
        for _ in 0..<2_000 {
            if Int.random(in: 0..<5, using: &random) < 3 || held.isEmpty {
                let bytes = Int.random(in: 0..<50_000, using: &random)
                if holder?.account.take(bytes) == true { held.append(bytes) }
            } else {
                holder?.account.release(held.remove(at: Int.random(in: 0..<held.count, using: &random)))
            }
            let sum = held.reduce(0, +)
            #expect(holder?.account.used == sum)
            #expect(budget.usedBytes(.requests) >= sum - MemoryAccount.freeBytes)
            #expect(budget.usedBytes(.requests) <= sum + 2 * MemoryAccount.stepBytes)
            if sum <= MemoryAccount.freeBytes, let last = held.last, last == 0 { continue }
        }
        for bytes in held { holder?.account.release(bytes) }
        #expect(budget.usedBytes(.requests) == 0)
        holder?.account.takeUnchecked(100 * Self.mebibyte)
        #expect(budget.isOverLimit(.requests))
        holder = nil
        #expect(budget.usedBytes(.requests) == 0)
    }
}

@Suite("Whether a peer reads its data")
struct ProgressWatchTests {
    private let rate = ProgressRate(window: .seconds(30), bytesMin: 1_000)

    private func instant(_ seconds: Int) -> NIODeadline { .uptimeNanoseconds(1) + .seconds(Int64(seconds)) }

    /// Whether a peer that reads so many bytes a second counts as late within five minutes.
    private func isFoundLate(bytesPerSecond: Int, of bytes: Int = 1_000_000) -> Bool {
        var watch = ProgressWatch()
        for second in 0..<300 {
            let taken = min(bytes, second * bytesPerSecond)
            if watch.isLate(bytesLeft: bytes - taken, taken: taken, now: instant(second), rate: rate) { return true }
        }
        return false
    }

    @Test("a byte now and then is no progress; the minimum rate is, and so is the end")
    func rates() {
        #expect(isFoundLate(bytesPerSecond: 0))
        #expect(isFoundLate(bytesPerSecond: 1))
        #expect(isFoundLate(bytesPerSecond: 30))
        #expect(!isFoundLate(bytesPerSecond: 40))
        #expect(!isFoundLate(bytesPerSecond: 10, of: 100))
    }

    @Test("the window restarts when nothing waits")
    func restarts() {
        var watch = ProgressWatch()
        var isLate = false
        for round in 0..<10 {
            let start = round * 40
            isLate = isLate || watch.isLate(bytesLeft: 10, taken: 0, now: instant(start), rate: rate)
            isLate = isLate || watch.isLate(bytesLeft: 10, taken: 0, now: instant(start + 29), rate: rate)
            isLate = isLate || watch.isLate(bytesLeft: 0, taken: 0, now: instant(start + 35), rate: rate)
        }
        #expect(!isLate)
    }

    @Test("short memory makes the rate faster, never slower")
    func adapts() {
        let budget = MemoryBudget()
        #expect(rate.adapted(to: budget).window == .seconds(30))
        budget.takeUnchecked(budget.bytesMax(.responses) / 4 * 3, .responses)
        #expect(rate.adapted(to: budget).window == .seconds(5))
        budget.takeUnchecked(budget.bytesMax(.responses), .responses)
        #expect(rate.adapted(to: budget).window == .seconds(1))
        let quick = ProgressRate(window: .milliseconds(100), bytesMin: 1)
        #expect(quick.adapted(to: budget).window == .milliseconds(100))
    }

    @Test("a connection's throughput is that of the last window or of the current one")
    func throughput() {
        var throughput = Throughput()
        #expect(throughput.moved(written: 0, now: instant(0), window: .seconds(10)) == 0)
        #expect(throughput.moved(written: 500, now: instant(5), window: .seconds(10)) == 500)
        #expect(throughput.moved(written: 800, now: instant(10), window: .seconds(10)) == 800)
        #expect(throughput.moved(written: 810, now: instant(15), window: .seconds(10)) == 800)
        #expect(throughput.moved(written: 810, now: instant(20), window: .seconds(10)) == 10)
        #expect(throughput.moved(written: 810, now: instant(30), window: .seconds(10)) == 0)
    }
}
