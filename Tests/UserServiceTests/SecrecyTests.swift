import Contracts
import RPC
import Storage
import SwiftProtobuf
import TestSupport
import Testing

@testable import UserService

@Suite("Secrets stay secret", .timeLimit(.minutes(10)))
struct SecrecyTests {
    private static let password = "hunter2-hunter2"
    private static let guess = "wrong-guess-77"

    @Test("no password, hash, token or key is in any log line at trace level, in any error or where it does not belong")
    func grep() async throws {
        try await withService { service in
            var said: [String] = []
            var tokens: [String] = []
            func hear(_ body: () async throws -> some Message) async {
                do {
                    let message = try await body()
                    said.append(message.textFormatString())
                } catch { said.append("\(Status(error))") }
            }
            let person = user(password: Self.password)
            let created = try await service.call(UserMethods.create, person, metadata: ["idempotency-key": "key"])
            tokens.append(created.token.token)
            said.append(created.user.textFormatString())
            tokens.append(try await service.call(UserMethods.auth, person).token)
            let token = tokens[0]
            let cut = String(token.dropLast(5))

            await hear { try await service.call(UserMethods.create, person) }
            await hear { try await service.call(UserMethods.create, user("no address", password: Self.password)) }
            await hear { try await service.call(UserMethods.create, user(password: Self.password, name: "")) }
            await hear {
                try await service.call(
                    UserMethods.create, user(password: Self.guess), metadata: ["idempotency-key": "key"])
            }
            await hear { try await service.call(UserMethods.get, .with { $0.id = created.user.id }, token: token) }
            await hear { try await service.call(UserMethods.get, .with { $0.id = created.user.id }, token: cut) }
            await hear { try await service.call(UserMethods.getAll, User_Request(), token: token) }
            let operatorToken = service.operatorToken()
            await hear { try await service.call(UserMethods.getAll, User_Request(), token: operatorToken) }
            await hear { try await service.call(UserMethods.validateToken, .with { $0.token = token }) }
            await hear { try await service.call(UserMethods.validateToken, .with { $0.token = cut }) }
            for _ in 0..<8 { await hear { try await service.call(UserMethods.auth, user(password: Self.guess)) } }

            let hash = try #require(try await service.users.everybody.first?.passwordHash)
            try await service.users.insert("broken@example.com", hash: "not-a-hash-\(hash)")
            service.clock.advance(.seconds(1_000))
            await hear {
                try await service.call(UserMethods.auth, user("broken@example.com", password: Self.password))
            }
            service.users.fail(StorageError(.other, "the query failed at 10.0.0.7"))
            await hear { try await service.call(UserMethods.auth, person) }
            await hear { try await service.call(UserMethods.create, user("b@example.com", password: Self.password)) }

            let everything = said.joined(separator: "\n") + "\n" + service.log.text
            #expect(said.count == 22)
            #expect(everything.contains("what is stored as a user's password hash is none"))
            for secret in [Self.password, Self.guess, hash, "$2b$", ServiceFixture.secret, cut] + tokens {
                #expect(!everything.contains(secret), "\(secret.prefix(8))…")
            }
            // Nor do errors tell where the store is.
            #expect(!said.joined().contains("10.0.0.7"))
            let stored = service.users.state.withLock { "\($0.stories)\($0.claims)" }
            #expect(!stored.contains(Self.password))
        }
    }
}
