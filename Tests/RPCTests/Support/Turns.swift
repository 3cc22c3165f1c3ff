import NIOConcurrencyHelpers
import Testing

/// Lets a few tests run at a time. Tests with sockets measure time and start programs: all at once they would only
/// keep each other from being served in time.
struct Turns: TestTrait, SuiteTrait, TestScoping {
    private static let atOnce = 4
    private static let gate = Gate(places: atOnce)

    let isRecursive = true

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        await Self.gate.enter()
        do {
            try await function()
            Self.gate.leave()
        } catch {
            Self.gate.leave()
            throw error
        }
    }
}

extension Trait where Self == Turns {
    static var turns: Turns { Turns() }
}

/// A semaphore for tasks.
private final class Gate: Sendable {
    private let state: NIOLockedValueBox<(places: Int, waiters: [CheckedContinuation<Void, Never>])>

    init(places: Int) {
        state = NIOLockedValueBox((places, []))
    }

    func enter() async {
        await withCheckedContinuation { waiter in
            let isFree = state.withLockedValue { state in
                guard state.places == 0 else {
                    state.places -= 1
                    return true
                }
                state.waiters.append(waiter)
                return false
            }
            if isFree { waiter.resume() }
        }
    }

    func leave() {
        let next = state.withLockedValue { state in
            guard state.waiters.isEmpty else { return state.waiters.removeFirst() as CheckedContinuation<Void, Never>? }
            state.places += 1
            return nil
        }
        next?.resume()
    }
}
