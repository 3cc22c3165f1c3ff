import Contracts
import Idempotency
import Logging
import MongoStorage
import RPC
import SQLiteStorage
import Storage
import TestSupport
import Testing

@testable import ConsignmentService

/// The service restarts, and its clock shows an earlier time than before.
@Suite("A clock that is set back", .timeLimit(.minutes(10))) struct ClockTests {
    private static let noon: Int64 = 1_767_225_600_000_000
    private static let hour: Int64 = 3_600_000_000
    private let logger = Logger(label: "test")

    /// Opens a process's repository on a store that others may use too.
    private func withRepository(
        _ kind: StoreKind, _ address: String, clock: Int64, _ body: (any ConsignmentRepository) async throws -> Void
    ) async throws {
        let ids = OrderedIdentifiers(now: { clock })
        let store: any Store
        let repository: any ConsignmentRepository
        switch kind {
        case .sqlite:
            let sqlite = try SQLiteStore(
                path: address, name: "consignments", migrations: SQLiteConsignmentRepository.migrations, logger: logger)
            store = sqlite
            repository = SQLiteConsignmentRepository(store: sqlite, ids: ids)
        case .mongo:
            let mongo = try MongoStore(
                try MongoAddress(address), name: "consignments", threads: 2, logger: logger,
                prepare: MongoConsignmentRepository.prepare)
            store = mongo
            repository = MongoConsignmentRepository(store: mongo, ids: ids)
        }
        try store.start()
        let result = await Result(catching: {
            try await eventually("the store") { store.isReady }
            try await body(repository)
        })
        await store.shutdown()
        try result.get()
    }

    private func create(_ repository: any ConsignmentRepository, _ count: Int = 3) async throws -> [String] {
        var ids: [String] = []
        for _ in 0..<count {
            let stored = try await repository.create(
                consignment(), userID: "user001", claim: nil, deadline: .after(.seconds(30)))
            ids.append(stored.id)
        }
        return ids
    }

    @Test("new consignments come after the stored ones", arguments: StoreKind.allCases)
    func order(kind: StoreKind) async throws {
        let folder = try TemporaryFolder()
        let address =
            kind == .sqlite ? folder.file("consignments.sqlite") : try await MongoServer.shared.value.uri()
        var stored: [String] = []
        try await withRepository(kind, address, clock: Self.noon) { stored += try await create($0) }
        try await withRepository(kind, address, clock: Self.noon - Self.hour) { first in
            stored += try await create(first)
            guard kind == .mongo else { return }
            // Another replica, whose clock is also behind, continues from what the first one stored.
            try await withRepository(kind, address, clock: Self.noon - Self.hour) { second in
                for _ in 0..<3 {
                    stored += try await create(second, 2)
                    stored += try await create(first, 1)
                }
            }
        }
        try await withRepository(kind, address, clock: Self.noon + Self.hour) { repository in
            stored += try await create(repository)
            #expect(stored == stored.sorted() && Set(stored).count == stored.count)
            // The clock counts again when it is ahead.
            #expect(stored[stored.count - 3].hasPrefix("000" + String(Self.noon + Self.hour, radix: 16)))
            let page = try await repository.page(
                after: nil, limit: 100, bytesMax: 1 << 20, deadline: .after(.seconds(30)))
            #expect(page.consignments.map(\.id) == stored)
        }
    }

    @Test("a cancelled booking waits since its Cancel, however old it is", arguments: StoreKind.allCases)
    func waiting(kind: StoreKind) async throws {
        let folder = try TemporaryFolder()
        let address =
            kind == .sqlite ? folder.file("consignments.sqlite") : try await MongoServer.shared.value.uri()
        try await withRepository(kind, address, clock: Self.noon) { repository in
            let old = try #require(try await create(repository, 1).first)
            _ = try await repository.cancel(old, deadline: .after(.seconds(30)))
            let waiting = try await repository.statistics(deadline: .after(.seconds(30)))
            #expect(waiting.pending == 1 && waiting.oldestPendingSeconds < 60)
        }
    }

    @Test("ids that none of our clocks can have made are ignored", arguments: ["f", "7", "not an id", ""])
    func strangeIDs(first: String) {
        let ids = OrderedIdentifiers(now: { Self.noon })
        #expect(ids.needsNewest)
        let id = first.utf8.count == 1 ? String(repeating: first, count: 32) : first
        #expect(OrderedIdentifiers.microseconds(of: id) == nil)
        ids.record(newest: id)
        #expect(!ids.needsNewest)
        #expect(ids.next().hasPrefix("000" + String(Self.noon, radix: 16)))
    }

    @Test("the newest stored id is looked up at the start, and while the clock is behind it")
    func lookups() {
        let newest = MonotonicTimestamps(now: { Self.noon })
        #expect(newest.needsNewest)
        newest.record(newest: nil)
        #expect(!newest.needsNewest)
        #expect(newest.next() == Self.noon && newest.next() == Self.noon + 1)
        #expect(!newest.needsNewest)
        newest.record(newest: Self.noon + Self.hour)
        #expect(newest.needsNewest)
        #expect(newest.next() == Self.noon + Self.hour + 1)
        #expect(MonotonicTimestamps(now: { -5 }).next() >= 0)
    }
}
