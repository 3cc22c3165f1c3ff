import Contracts
import Logging
import RPC
import SQLiteStorage
import TestSupport
import Testing

@testable import UserService

/// The service restarts, and its clock, or its store's, shows an earlier time than before.
@Suite("A clock that is set back", .timeLimit(.minutes(10)))
struct ClockTests {
    private static let hour: Int64 = 3_600_000_000

    @Test("new users come after the stored ones", arguments: UserStoreKind.allCases)
    func order(kind: UserStoreKind) async throws {
        try await withService(ServiceWishes(needsToken: false, store: kind)) { service in
            try await service.users.insert("old@example.com", id: "old", at: TestClock.epoch + Self.hour)
            // A time that none of our clocks has shown.
            try await service.users.insert("strange@example.com", id: "strange", at: 253_402_300_800_000_000)
            let (first, _) = try await service.signUp("first@example.com")
            let (second, token) = try await service.signUp("second@example.com")
            let page = try await service.call(UserMethods.getAll, User_Request())
            #expect(page.users.map(\.id) == ["old", first, second, "strange"])
            #expect(try await service.call(UserMethods.validateToken, .with { $0.token = token }).valid)
        }
    }

    @Test("a clock that was once years ahead makes no token that is valid for years")
    func tokens() async throws {
        try await withService { service in
            try await service.users.insert("old@example.com", id: "old", at: TestClock.epoch + 100_000 * Self.hour)
            let (_, token) = try await service.signUp("ada@example.com")
            service.clock.advance(.seconds((72 + 24) * 3_600))
            let refused = await status { try await service.call(UserMethods.validateToken, .with { $0.token = token }) }
            #expect(refused == UserError.badToken.status)
        }
    }

    /// Moves stored times into the future, as if the clock was set back by an hour.
    private func stepClockBack(_ kind: UserStoreKind, _ address: String) async throws {
        switch kind {
        case .sqlite:
            let store = try SQLiteStore(
                path: String(address.dropFirst("sqlite:".count)), name: "users",
                migrations: SQLiteUserRepository.migrations, logger: Logger(label: "test"))
            try store.start()
            try await store.write(deadline: Sample.soon) {
                try $0.execute(
                    "UPDATE outbox SET due_at = due_at + \(Self.hour), scheduled_at = scheduled_at + \(Self.hour)")
            }
            await store.shutdown()
        case .postgres:
            try await PostgresServer.sql(
                "UPDATE outbox SET due_at = due_at + interval '1 hour', scheduled_at = scheduled_at + interval '1 hour'",
                at: address)
        }
    }

    private func signUp(_ users: UserDatabase) async throws -> String {
        let user = Sample.user()
        let event = Sample.event(user)
        _ = try await users.repository.create(user, event: event, claim: nil, deadline: Sample.soon)
        return event.id
    }

    @Test(
        "a waiting event is due after the same delay, and a lease keeps its length",
        arguments: UserStoreKind.allCases)
    func events(kind: UserStoreKind) async throws {
        let database = try await EmptyDatabase(kind)
        var (leased, retried, fresh) = ("", "", "")
        try await withUsers(at: database.address) { users in
            leased = try await signUp(users)
            let first = try await users.outbox.take(1, lease: .seconds(600))
            retried = try await signUp(users)
            let second = try await users.outbox.take(1)
            #expect(first.map(\.item.id) == [leased] && second.map(\.item.id) == [retried])
            for claimed in second {
                try await users.outbox.retry(claimed.lease, after: .seconds(2), error: "no", deadline: Sample.soon)
            }
            fresh = try await signUp(users)
        }
        try await stepClockBack(kind, database.address)
        try await withUsers(at: database.address) { users in
            var seen: [String] = []
            try await eventually("two events") {
                seen += try await users.outbox.take().map(\.item.id)
                return seen.count >= 2
            }
            #expect(seen == [fresh, retried])
            #expect(try await users.outbox.take().isEmpty)
            #expect(try await users.outbox.counts.pending == 3)
        }
        withExtendedLifetime(database) {}
    }
}
