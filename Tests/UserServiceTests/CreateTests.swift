import Contracts
import RPC
import TestSupport
import Testing

@testable import UserService

@Suite("Signing up with a key", .timeLimit(.minutes(10)))
struct CreateTests {
    private func create(
        _ service: ServiceFixture, _ request: User_User = user(), key: String = "key"
    ) async throws -> User_Response {
        try await service.call(UserMethods.create, request, metadata: ["idempotency-key": key])
    }

    @Test("a repeat gets the first answer, token and all, however much later, and stores nothing")
    func repeats() async throws {
        try await withService { service in
            let first = try await create(service)
            service.clock.advance(.seconds(20 * 3600))
            #expect(try await create(service) == first)
            #expect(try await service.users.everybody.count == 1)
            #expect(service.users.stories.count == 1)
            #expect(try await service.call(UserMethods.validateToken, .with { $0.token = first.token.token }).valid)
        }
    }

    @Test("the same key with another field or another password is ABORTED")
    func otherRequests() async throws {
        try await withService { service in
            _ = try await create(service)
            let others = [
                user(name: "Bob"), user(company: "Other"), user("other@example.com"), user(password: "another horse"),
            ]
            for other in others {
                let refused = await status { try await create(service, other) }
                #expect(
                    refused
                        == Status(
                            .aborted, "the idempotency-key was used for another request", reason: "KEY_USED_BEFORE"))
            }
        }
    }

    @Test("keys are no way round the back-off: guesses at a repeat count as failed logins")
    func guessing() async throws {
        try await withService { service in
            _ = try await create(service)
            var outcomes: [Status.Code] = []
            for index in 0..<10 {
                outcomes.append(await status { try await create(service, user(password: "guess no. \(index)")) }.code)
            }
            #expect(outcomes == Array(repeating: .aborted, count: 4) + Array(repeating: .resourceExhausted, count: 6))
            let login = await status { try await service.call(UserMethods.auth, user()) }
            #expect(login.code == .resourceExhausted)
        }
    }

    @Test("many at once with one key make one user, and all get the same answer")
    func concurrent() async throws {
        try await withService(ServiceWishes(threads: 2)) { service in
            let answers = try await withThrowingTaskGroup(of: User_Response.self) { group in
                for _ in 0..<3 { group.addTask { try await create(service) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.count == 3)
            #expect(answers.allSatisfy { $0 == answers[0] })
            #expect(try await service.users.everybody.count == 1)
        }
    }

    @Test("a repeat is not hashed anew but compared once")
    func sparesWork() async throws {
        try await withService { service in
            _ = try await create(service)
            let before = service.handlers.passwords.hasher.runCount
            _ = try await create(service)
            #expect(service.handlers.passwords.hasher.runCount == before + 1)
        }
    }

    @Test("no fast hash of a password is stored: fingerprints do not depend on it")
    func fingerprints() async throws {
        try await withService { service in
            _ = try await create(service, key: "one")
            let taken = await status { try await create(service, user(password: "another horse"), key: "two") }
            #expect(taken.code == .alreadyExists)
            let claims = service.users.state.withLock { $0.claims }
            #expect(claims.count == 2 && claims[0].id != claims[1].id)
            #expect(claims[0].fingerprint == claims[1].fingerprint)
        }
    }

    @Test("keys that are empty or too long are INVALID_ARGUMENT")
    func wrongKeys() async throws {
        try await withService { service in
            for key in ["", String(repeating: "k", count: 256)] {
                #expect(await status { try await create(service, key: key) }.code == .invalidArgument)
            }
        }
    }
}
