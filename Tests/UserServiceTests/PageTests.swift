import Contracts
import RPC
import Testing

@testable import UserService

@Suite("Pages of users", .timeLimit(.minutes(10)))
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

    private func token(of time: Int64, id: String = "x") -> String {
        PageToken.text(UserPosition(createdAtMicroseconds: time, id: id))
    }

    @Test(
        "a page token with a time that a store can't hold is INVALID_ARGUMENT, and any other is answered",
        arguments: UserStoreKind.allCases)
    func times(store: UserStoreKind) async throws {
        try await withService(ServiceWishes(needsToken: false, store: store)) { service in
            try await fill(service, 4)
            // PostgreSQL's first moment is January 1 of 4713 BC.
            let first: Int64 = -210_866_803_200_000_000
            for time: Int64 in [.min + 1, .min / 2, first - 1] {
                let refused = await status { try await page(service, token: token(of: time)) }
                #expect(
                    refused == UserError.invalid("page_token", "page_token must be one that this service gave").status,
                    "\(time)")
            }
            for time: Int64 in [.min, first, first + 1, -4] {
                #expect(try await page(service, token: token(of: time)).users.count == 4, "\(time)")
            }
            for time: Int64 in [.max, .max - 1, .max / 2, 5] {
                #expect(try await page(service, token: token(of: time)).users.isEmpty, "\(time)")
            }
            let long = String(repeating: "i", count: 2_704)
            #expect(try await page(service, token: token(of: -4, id: long)).users.count == 4)
            #expect(
                await status { try await page(service, token: token(of: -4, id: long + "i")) }.code == .invalidArgument)
        }
    }

    @Test("a page token of combining marks costs no more than one of plain letters")
    func hostileTokens() throws {
        let marks = "1" + String(repeating: "\u{301}\u{323}", count: 100_000)
        let plain = String(repeating: "1", count: marks.utf8.count)
        func time(_ token: String) -> Duration {
            (0..<5).map { _ in ContinuousClock().measure { _ = try? PageToken.position(token) } }.min() ?? .zero
        }
        let (ofPlain, ofMarks) = (time(plain), time(marks))
        #expect(ofMarks < ofPlain * 10 + .milliseconds(20), "\(ofMarks) against \(ofPlain)")
    }
}
