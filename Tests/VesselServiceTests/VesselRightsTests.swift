import Contracts
import RPC
import Runtime
import TestSupport
import Testing

@testable import VesselService

/// Whose a vessel is, and who may change it.
@Suite(.timeLimit(.minutes(10))) struct VesselRightsTests {
    private static let ann = UserStandIn.token(of: "ann")
    private static let bob = UserStandIn.token(of: "bob")
    private static let operatorToken = UserStandIn.token(of: "olga", roles: ["operator"])

    private func withHandlers(
        requiresToken: Bool = false, _ body: (VesselHandlers, Authenticator) async throws -> Void
    ) async throws {
        try await withVessels(.sqlite) { vessels in
            let users = try await UserStandIn.start()
            let authenticator = Authenticator(users: users.client)
            let handlers = VesselHandlers(
                repository: vessels.repository, authenticator: authenticator, requiresToken: requiresToken)
            let result = await Result(catching: { try await body(handlers, authenticator) })
            await users.stop()
            try result.get()
        }
    }

    private func update(
        _ id: String, _ paths: String..., by token: String, _ handlers: VesselHandlers, _ authenticator: Authenticator,
        _ change: (inout Vessel_Vessel) -> Void = { _ in }
    ) async throws -> Vessel_Response {
        var request = Vessel_UpdateRequest()
        request.vessel.id = id
        change(&request.vessel)
        request.updateMask.paths = paths
        let context = context(token: token)
        return try await handlers.update(request, try await authenticator.caller(of: context), context)
    }

    @Test("a vessel belongs to the user of the token, whatever the request says; without one to nobody")
    func owners() async throws {
        try await withHandlers { handlers, _ in
            var claimed = vessel("a")
            claimed.ownerID = "bob"
            claimed.bookedContainers = 5
            let own = try await handlers.create(claimed, context(token: Self.ann)).vessel
            #expect(own.ownerID == "ann" && own.bookedContainers == 0)
            #expect(try await handlers.create(vessel("b"), context()).vessel.ownerID.isEmpty)
            claimed.id = "c"
            let refused = await status { try await handlers.create(claimed, context()) }
            #expect(refused.code == .invalidArgument)
            #expect(
                refused.details == [
                    .badRequest([.init(field: "owner_id", description: refused.message)])
                ])
            #expect(
                await status { try await handlers.create(vessel("d"), context(token: "forged")) }.code
                    == .unauthenticated)
        }
    }

    @Test("an idempotency key belongs to the user, not to the token")
    func keys() async throws {
        try await withHandlers { handlers, _ in
            let first = try await handlers.create(vessel(), context(key: "k", token: Self.ann))
            let later = UserStandIn.token(of: "ann", expiry: 4_000_000_001)
            #expect(try await handlers.create(vessel(), context(key: "k", token: later)) == first)
            let bobs = try await handlers.create(vessel(), context(key: "k", token: Self.bob))
            #expect(bobs.vessel.id != first.vessel.id && bobs.vessel.ownerID == "bob")
        }
    }

    @Test("where a token is required, none is refused")
    func required() async throws {
        try await withHandlers(requiresToken: true) { handlers, _ in
            #expect(await status { try await handlers.create(vessel("a"), context()) }.code == .unauthenticated)
            #expect(await status { try await handlers.create(vessel("a"), context(token: Self.ann)) } == .ok)
        }
    }

    @Test("the owner and operators change a vessel, others don't; nobody's is for operators")
    func rights() async throws {
        try await withHandlers { handlers, authenticator in
            _ = try await handlers.create(vessel("anns"), context(token: Self.ann))
            _ = try await handlers.create(vessel("nobodys"), context())
            let table: [(String, String, Status.Code)] = [
                ("anns", Self.ann, .ok), ("anns", Self.bob, .permissionDenied), ("anns", Self.operatorToken, .ok),
                ("nobodys", Self.ann, .permissionDenied), ("nobodys", Self.operatorToken, .ok),
                ("missing", Self.ann, .notFound),
            ]
            for (id, token, code) in table {
                let outcome = await status {
                    try await update(id, "name", by: token, handlers, authenticator) { $0.name = "New" }
                }
                #expect(outcome.code == code, "\(id)")
            }
        }
    }

    @Test("Update changes what the mask names and nothing else, and refuses what it can't change")
    func masks() async throws {
        try await withHandlers { handlers, authenticator in
            _ = try await handlers.create(vessel("a", capacity: 10, maxWeight: 100), context(token: Self.ann))
            _ = try await handlers.reserve(
                .with { ($0.consignmentID, $0.containers, $0.weight) = ("c", 4, 40) }, context())
            let changed = try await update("a", "capacity", "available", by: Self.ann, handlers, authenticator) {
                $0.capacity = 4
                $0.maxWeight = 1
                $0.name = "Other"
            }.vessel
            #expect(changed.capacity == 4 && changed.maxWeight == 100 && changed.name == "Test")
            #expect(!changed.hasAvailable)
            #expect(try await handlers.get(.with { $0.id = "a" }, context()).vessel == changed)
            let wrong: [([String], Status.Code, (inout Vessel_Vessel) -> Void)] = [
                ([], .invalidArgument, { _ in }), (["owner_id"], .invalidArgument, { _ in }),
                (["booked_containers"], .invalidArgument, { _ in }), (["Name"], .invalidArgument, { _ in }),
                (["name"], .invalidArgument, { $0.name = "" }), (["capacity"], .invalidArgument, { $0.capacity = 0 }),
                (["capacity"], .failedPrecondition, { $0.capacity = 3 }),
                (["max_weight"], .failedPrecondition, { $0.maxWeight = 39 }),
            ]
            for (paths, code, change) in wrong {
                var request = Vessel_UpdateRequest()
                request.vessel.id = "a"
                change(&request.vessel)
                request.updateMask.paths = paths
                let context = context(token: Self.ann)
                let refused = await status { [request] in
                    try await handlers.update(request, try await authenticator.caller(of: context), context)
                }
                #expect(refused.code == code, "\(paths): \(refused)")
            }
            #expect(try await handlers.get(.with { $0.id = "a" }, context()).vessel == changed)
        }
    }

    @Test("Get and List need no token; pages and their tokens hold every vessel once")
    func lists() async throws {
        try await withHandlers { handlers, _ in
            for number in 0..<5 { _ = try await handlers.create(vessel("v\(number)"), context()) }
            var seen: [String] = []
            var token = ""
            repeat {
                let page = try await handlers.list(
                    .with { ($0.pageSize, $0.pageToken) = (2, token) }, context())
                seen += page.vessels.map(\.id)
                token = page.nextPageToken
            } while !token.isEmpty
            #expect(seen == ["v0", "v1", "v2", "v3", "v4"])
            for wrong in ["x", "v1", "c1abc"] {
                let refused = await status { try await handlers.list(.with { $0.pageToken = wrong }, context()) }
                #expect(refused.code == .invalidArgument, "\(wrong)")
            }
            #expect(
                await status { try await handlers.list(.with { $0.pageSize = -1 }, context()) }.code == .invalidArgument
            )
            #expect(await status { try await handlers.get(.with { $0.id = "none" }, context()) }.code == .notFound)
            #expect(await status { try await handlers.get(.init(), context()) }.code == .invalidArgument)
        }
    }
}
