import Contracts
import RPC
import Testing

@testable import UserService

@Suite("Pages of users", .timeLimit(.minutes(1)))
struct PageTests {
    private func fill(_ service: ServiceFixture, _ count: Int) async throws {
        try await withThrowingTaskGroup { group in
            for index in 0..<count {
                group.addTask {
                    // Two at a time are of the same microsecond.
                    try await service.users.insert(
                        "\(index)@example.com", id: "user-\(index)", at: Int64(index / 2) - 3)
                }
            }
            try await group.waitForAll()
        }
    }

    private func page(_ service: ServiceFixture, size: Int32 = 0, token: String = "") async throws -> User_Response {
        try await service.call(
            UserMethods.getAll,
            .with {
                $0.pageSize = size
                $0.pageToken = token
            })
    }

    @Test("pages are 100 long, or as long as asked for, at most 1000; together they are everybody, once")
    func pages() async throws {
        try await withService(ServiceWishes(needsToken: false)) { service in
            try await fill(service, 2_345)
            #expect(try await page(service).users.count == 100)
            #expect(try await page(service, size: 1).users.map(\.id) == ["user-0"])
            #expect(try await page(service, size: .max).users.count == 1_000)
            var seen: [String] = []
            var token = ""
            repeat {
                let next = try await page(service, size: 999, token: token)
                seen += next.users.map(\.id)
                token = next.nextPageToken
            } while !token.isEmpty
            #expect(seen.count == 2_345)
            #expect(Set(seen).count == 2_345)
        }
    }

    @Test("a last page that is full has no successor")
    func lastPage() async throws {
        try await withService(ServiceWishes(needsToken: false)) { service in
            try await fill(service, 4)
            let first = try await page(service, size: 2)
            let second = try await page(service, size: 2, token: first.nextPageToken)
            #expect(second.users.map(\.id) == ["user-2", "user-3"])
            #expect(second.nextPageToken.isEmpty)
        }
    }

    @Test("a negative size and a made-up page token are INVALID_ARGUMENT")
    func wrongPages() async throws {
        try await withService(ServiceWishes(needsToken: false)) { service in
            try await fill(service, 4)
            let good = try await page(service, size: 1).nextPageToken
            let refused = await status { try await page(service, size: -1) }
            #expect(refused.code == .invalidArgument && refused.message.hasPrefix("page_size"))
            let wrong = [
                "x", "1", "2" + good.dropFirst(), String(good.dropLast()), good + "0", good + "zz",
                good.uppercased() + "G",
                "1" + String(repeating: "0", count: 16), "1" + String(repeating: "0", count: 16) + "00",
                "1" + String(repeating: "0", count: 16) + "ff", String(repeating: "1", count: 100_000),
                "1ööööööööööööö",
            ]
            for token in wrong {
                let refused = await status { try await page(service, token: token) }
                #expect(
                    refused.code == .invalidArgument && refused.message.hasPrefix("page_token"), "\(token.prefix(50))")
            }
        }
    }

    @Test("a place survives its way through a text", arguments: [Int64.min, -1, 0, 1_767_225_600_000_000, .max])
    func roundTrip(time: Int64) throws {
        let position = UserPosition(createdAtMicroseconds: time, id: "ö-0123")
        #expect(try PageToken.position(PageToken.text(position)) == position)
    }
}
