import Contracts
import Idempotency
import RPC
import Testing

@testable import ConsignmentService

@Suite(.timeLimit(.minutes(10))) struct ConsignmentRepositoryTests {
    private func create(
        _ repository: any ConsignmentRepository, _ request: Consignment_Consignment, _ claim: IdempotencyClaim? = nil
    ) async throws -> Consignment_Consignment {
        try await repository.create(request, userID: "user001", claim: claim, deadline: .after(.seconds(30)))
    }

    private func page(
        _ repository: any ConsignmentRepository, after: String? = nil, limit: Int, bytesMax: Int = 1 << 20
    ) async throws -> ConsignmentPage {
        try await repository.page(after: after, limit: limit, bytesMax: bytesMax, deadline: .after(.seconds(30)))
    }

    @Test("a consignment comes back as it was stored, under an id of its own", arguments: StoreKind.allCases)
    func roundTrip(kind: StoreKind) async throws {
        try await withConsignments(kind) { consignments in
            var request = consignment("Grüße, 漢字 \u{1F6A2} \"; DROP TABLE consignments --", weight: .max)
            request.vesselID = "vessel001"
            request.containers[1] = Consignment_Container()
            let stored = try await create(consignments.repository, request)
            #expect(OrderedIdentifiers.isWellFormed(stored.id))
            request.id = stored.id
            #expect(stored.asked == request)
            let found = try await page(consignments.repository, limit: 10)
            #expect(found.consignments == [stored])
            #expect(!found.hasMore)
        }
    }

    @Test(
        "pages hold each consignment once, oldest first, and say whether there are more", arguments: StoreKind.allCases)
    func pages(kind: StoreKind) async throws {
        try await withConsignments(kind) { consignments in
            var stored: [String] = []
            for index in 0..<25 {
                stored.append(try await create(consignments.repository, consignment("\(index)")).id)
            }
            var seen: [String] = []
            var after: String?
            var sizes: [Int] = []
            repeat {
                let page = try await page(consignments.repository, after: after, limit: 10)
                seen += page.consignments.map(\.id)
                sizes.append(page.consignments.count)
                after = page.hasMore ? page.consignments.last?.id : nil
            } while after != nil
            #expect(seen == stored)
            #expect(sizes == [10, 10, 5])
            let whole = try await page(consignments.repository, limit: 25)
            #expect(whole.consignments.count == 25)
            #expect(!whole.hasMore)
        }
    }

    @Test("while others store, a walk meets all that was there before it, none twice", arguments: StoreKind.allCases)
    func pagesAmongInserts(kind: StoreKind) async throws {
        try await withConsignments(kind) { consignments in
            let repository = consignments.repository
            var before: Set<String> = []
            for index in 0..<60 { before.insert(try await create(repository, consignment("\(index)")).id) }
            let writer = Task {
                while !Task.isCancelled { _ = try await create(repository, consignment("later")) }
            }
            var seen: [String] = []
            var after: String?
            repeat {
                let page = try await page(repository, after: after, limit: 7)
                seen += page.consignments.map(\.id)
                after = page.hasMore ? page.consignments.last?.id : nil
            } while after != nil && seen.count < 1_000
            writer.cancel()
            _ = await writer.result
            #expect(before.isSubset(of: seen))
            #expect(Set(seen).count == seen.count)
            #expect(seen == seen.sorted())
        }
    }

    @Test("a page of large consignments ends early, but never empty", arguments: StoreKind.allCases)
    func largePages(kind: StoreKind) async throws {
        try await withConsignments(kind) { consignments in
            for _ in 0..<4 { _ = try await create(consignments.repository, consignment(containers: 100)) }
            let page = try await page(consignments.repository, limit: 10, bytesMax: 20_000)
            #expect((1...3).contains(page.consignments.count))
            #expect(page.hasMore)
            let small = try await self.page(consignments.repository, limit: 10, bytesMax: 1)
            #expect(small.consignments.count == 1)
            #expect(small.hasMore)
        }
    }

    @Test("a page with many containers ends early, however small they are", arguments: StoreKind.allCases)
    func manyContainers(kind: StoreKind) async throws {
        try await withConsignments(kind) { consignments in
            var empty = consignment(containers: 0)
            empty.containers = Array(repeating: .init(), count: 1_000)
            for _ in 0..<5 { _ = try await create(consignments.repository, empty) }
            let page = try await page(consignments.repository, limit: 10, bytesMax: 1 << 20)
            #expect(page.consignments.count == 3)
            #expect(page.hasMore)
        }
    }

    @Test(
        "a key stores once, whoever comes first, and another request under it is ABORTED", arguments: StoreKind.allCases
    )
    func keys(kind: StoreKind) async throws {
        try await withConsignments(kind) { consignments in
            let repository = consignments.repository
            let key = try claim("k", of: consignment())
            #expect(try await repository.booking(of: key, deadline: .after(.seconds(30))) == nil)
            let answers = try await withThrowingTaskGroup(of: Consignment_Consignment.self) { tasks in
                for index in 0..<12 {
                    tasks.addTask {
                        var booked = consignment()
                        booked.vesselID = "vessel\(index)"
                        return try await create(repository, booked, key)
                    }
                }
                return try await tasks.reduce(into: Set<Consignment_Consignment>()) { $0.insert($1) }
            }
            #expect(answers.count == 1)
            #expect(try await repository.booking(of: key, deadline: .after(.seconds(30)))?.shown == answers.first)
            #expect(try await page(repository, limit: 10).consignments == Array(answers))
            let other = try claim("k", of: consignment("another"))
            let refused = await status { try await create(repository, consignment("another"), other) }
            #expect(refused.code == .aborted)
            let stranger = try claim("k", of: consignment(), caller: "user user002")
            #expect(try await create(repository, consignment(), stranger).id != answers.first?.id)
        }
    }
}
