import Idempotency
import LeasedQueue
import Logging
import RPC
import Storage
import TestSupport
import Testing

@testable import UserService

/// The stores that every repository test runs against.
enum UserStoreKind: String, CaseIterable, CustomTestStringConvertible {
    case sqlite
    case postgres

    var testDescription: String { rawValue }
}

/// An empty database of a kind, and how to look into it.
struct EmptyDatabase {
    private let folder: TemporaryFolder
    let address: String

    init(_ kind: UserStoreKind) async throws {
        folder = try TemporaryFolder()
        address =
            switch kind {
            case .sqlite: "sqlite:\(folder.file("users.sqlite"))"
            case .postgres: try await PostgresServer.shared.value.database()
            }
    }
}

/// Lends an empty database of a kind.
func withUsers(_ kind: UserStoreKind, _ body: (UserDatabase) async throws -> Void) async throws {
    let database = try await EmptyDatabase(kind)
    // Its folder goes with it.
    defer { withExtendedLifetime(database) {} }
    try await withUsers(at: database.address, body)
}

/// Lends the users at an address.
func withUsers(at address: String, _ body: (UserDatabase) async throws -> Void) async throws {
    let users = try UserDatabase(
        variable: { $0 == "DB_HOST" ? address : nil }, threads: 4, logger: Logger(label: "test"))
    try users.store.start()
    let isReady = await eventually(within: .seconds(30)) { users.store.isReady }
    #expect(isReady, "\(users.store.lastError ?? "no error")")
    do { try await body(users) } catch {
        await users.store.shutdown()
        throw error
    }
    await users.store.shutdown()
}

/// Small builders.
enum Sample {
    static func user(
        _ id: String = Identifier.random(), email: String? = nil, name: String = "Ada", at microseconds: Int64 = 1_000
    ) -> StoredUser {
        StoredUser(
            id: id, name: name, company: "Analytical", email: email ?? "\(id)@example.com",
            passwordHash: "$2b$10$hash", createdAtMicroseconds: microseconds)
    }

    static func event(_ user: StoredUser, _ id: String = Identifier.random()) -> UserCreatedEvent {
        UserCreatedEvent(
            id: id, userID: user.id, name: user.name, email: user.email, company: user.company,
            occurredAtMicroseconds: user.createdAtMicroseconds)
    }

    static func claim(_ key: String, request: String = "request") -> IdempotencyClaim {
        IdempotencyClaim(id: SHA256.digest(key.utf8), fingerprint: SHA256.digest(request.utf8))
    }

    static var soon: Deadline { .after(.seconds(20)) }
}

extension UserRepository {
    @discardableResult
    func add(_ user: StoredUser, claim: IdempotencyClaim? = nil) async throws -> CreatedUser {
        try await create(user, event: Sample.event(user), claim: claim, deadline: Sample.soon)
    }

    func find(_ id: String) async throws -> StoredUser? { try await user(id: id, deadline: Sample.soon) }

    func find(email: String) async throws -> StoredUser? { try await user(email: email, deadline: Sample.soon) }

    /// The ids of all users, page by page.
    func ids(pages limit: Int) async throws -> [String] {
        var ids: [String] = []
        var end: UserPosition?
        while true {
            let page = try await page(after: end, limit: limit, deadline: Sample.soon)
            ids += page.map(\.id)
            guard let last = page.last else { return ids }
            end = UserPosition(createdAtMicroseconds: last.createdAtMicroseconds, id: last.id)
        }
    }
}

extension Outbox {
    func take(_ limit: Int = 100, lease: Duration = .seconds(60)) async throws -> [LeasedItem<UserCreatedEvent>] {
        try await claim(limit: limit, lease: lease, deadline: Sample.soon)
    }

    var counts: LeasedQueueStatistics {
        get async throws { try await statistics(deadline: Sample.soon) }
    }
}
