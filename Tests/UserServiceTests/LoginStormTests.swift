import Contracts
import NIOConcurrencyHelpers
import NIOCore
import RPC
import Testing

@testable import UserService

/// More logins than can be hashed, for longer than a burst.
@Suite("A storm of logins", .timeLimit(.minutes(10))) struct LoginStormTests {
    private struct Seen {
        var answered: [Duration] = []
        var refused = 0
        var other: [Status] = []
    }

    @Test("most are refused at once, who is let in is soon answered, tokens are checked as always, and then it is over")
    func storm() async throws {
        var wishes = ServiceWishes()
        wishes.limits.addressBurst = 100_000
        try await withService(wishes) { service in
            let (_, token) = try await service.signUp("ada@example.com")
            let clock = ContinuousClock()
            let begin = clock.now
            let seen = NIOLockedValueBox(Seen())
            // On a machine that has much else to do it takes longer until some were answered.
            let isOver = { @Sendable in
                let elapsed = clock.now - begin
                let isEnough = elapsed > .seconds(4) && seen.withLockedValue { $0.answered.count >= 5 }
                return isEnough || elapsed > .seconds(40)
            }
            try await withThrowingTaskGroup { group in
                for client in 0..<64 {
                    group.addTask {
                        var round = 0
                        while !isOver() {
                            round += 1
                            let guess = user("\(client)-\(round)@example.com", password: "guess")
                            let started = clock.now
                            let status = await status { try await service.call(UserMethods.auth, guess) }
                            let took = clock.now - started
                            // The beginning is a burst, which is worked off.
                            let counts = started > begin + .seconds(2)
                            seen.withLockedValue {
                                switch status.code {
                                case .unauthenticated: if counts { $0.answered.append(took) }
                                case .resourceExhausted where status.metadata["retry-after"] != nil: $0.refused += 1
                                default: $0.other.append(status)
                                }
                            }
                            if status.code == .resourceExhausted { try await Task.sleep(for: .milliseconds(50)) }
                        }
                    }
                }
                group.addTask {
                    while !isOver() {
                        let valid = try await service.call(UserMethods.validateToken, .with { $0.token = token }).valid
                        #expect(valid)
                        try await Task.sleep(for: .milliseconds(10))
                    }
                }
                try await group.waitForAll()
            }
            let result = seen.withLockedValue { $0 }
            #expect(result.other.isEmpty, "\(result.other)")
            #expect(result.refused > 100)
            let median = try #require(result.answered.sorted().dropFirst(result.answered.count / 2).first)
            // What is under way is the rate times the time that one takes (Little): of 64 callers not half may wait.
            let rate = Double(result.answered.count) / ((clock.now - begin - .seconds(2)) / .seconds(1))
            #expect(rate * (median / .seconds(1)) < 24, "\(median) at \(rate) a second")
            let logins = try await service.call(UserMethods.auth, user("ada@example.com")).valid
            #expect(logins)
        }
    }
}
