import Contracts
import RPC
import Runtime
import Testing

@testable import VesselService

/// Vessels that another program stored, whose ids and texts no rule of ours has bounded.
@Suite(.timeLimit(.minutes(10))) struct OtherProgramTests {
    private func update(
        _ id: String, _ path: String, _ handlers: VesselHandlers, _ change: (inout Vessel_Vessel) -> Void
    ) async throws -> Vessel_Response {
        var request = Vessel_UpdateRequest()
        request.vessel.id = id
        change(&request.vessel)
        request.updateMask.paths = [path]
        return try await handlers.update(request, .anybody, context())
    }

    @Test("texts that no answer can hold are shown shortened by every method", arguments: StoreKind.allCases)
    func texts(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels in
            let handlers = vesselHandlers(vessels)
            var large = vessel("large", name: String(repeating: "\u{1}", count: 4_500_000))
            large.ownerID = String(repeating: "o", count: 1_000_000)
            _ = try await vessels.repository.create(large, claim: nil, deadline: .after(.seconds(60)))
            let found = try await handlers.findAvailable(specification(1, 1), context())
            let read = try await handlers.get(.with { $0.id = "large" }, context())
            let list = try await handlers.list(.init(), context())
            #expect(read == found && list.vessels == [found.vessel])
            let reserved = try await handlers.reserve(
                .with { ($0.consignmentID, $0.containers, $0.weight) = ("c", 1, 1) }, context())
            let changed = try await update("large", "capacity", handlers) { $0.capacity = 20 }
            for answer in [found, list, reserved, changed] {
                let bytes: [UInt8] = try answer.serializedBytes()
                #expect(bytes.count < 2 << 20)
            }
            #expect(changed.vessel.capacity == 20 && changed.vessel.bookedContainers == 1)
            let stored = try await vessels.repository.vessel(id: "large", deadline: .after(.seconds(60)))
            #expect(stored?.name.utf8.count == 4_500_000)
        }
    }

    @Test(
        "what is listed is found by its id, and an id that no call can carry ends no list",
        arguments: StoreKind.allCases)
    func ids(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels in
            let handlers = vesselHandlers(vessels)
            let lengthMax = kind == .sqlite ? ListedID.bytesMax : 2_000
            let ids = [
                "a", String(repeating: "b", count: 300), String(repeating: "ü", count: lengthMax / 2), "zz\u{10ffff}",
            ]
            let tooLong = kind == .sqlite ? [String(repeating: "z", count: 20_000)] : []
            for id in ids + tooLong {
                _ = try await vessels.repository.create(vessel(id), claim: nil, deadline: .after(.seconds(60)))
            }
            var seen: [String] = []
            var token = ""
            repeat {
                let page = try await handlers.list(.with { ($0.pageSize, $0.pageToken) = (1, token) }, context())
                seen += page.vessels.map(\.id)
                token = page.nextPageToken
            } while !token.isEmpty && seen.count < 10
            #expect(seen.count == ids.count + tooLong.count)
            for id in ids {
                #expect(seen.contains(id))
                let found = try await handlers.get(.with { $0.id = id }, context())
                #expect(found.vessel.id == id)
                let changed = try await update(id, "name", handlers) { $0.name = "New" }
                #expect(changed.vessel.name == "New")
                // A consignment of such an id may be cancelled.
                _ = try await handlers.release(.with { $0.consignmentID = id }, context())
            }
            for id in tooLong {
                let refused = await status { try await handlers.get(.with { $0.id = id }, context()) }
                #expect(refused.code == .notFound)
            }
        }
    }
}
