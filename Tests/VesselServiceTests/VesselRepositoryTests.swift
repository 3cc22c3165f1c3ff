import Contracts
import RPC
import TestSupport
import Testing

@testable import VesselService

@Suite(.timeLimit(.minutes(10))) struct VesselRepositoryTests {
    @Test("a vessel comes back as it was stored", arguments: StoreKind.allCases)
    func roundTrip(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels async throws in
            var stored = vessel("v1", capacity: 500, maxWeight: 200_000, name: "Kåne's \"Salty\" Secret")
            #expect(try await vessels.repository.create(stored, claim: nil, deadline: .never) == stored)
            #expect(try await vessels.repository.tightestFit(500, 200_000) == stored)
            // Unset, true and false are three things.
            stored.id = "v2"
            stored.clearAvailable()
            #expect(try await vessels.repository.create(stored, claim: nil, deadline: .never) == stored)
            #expect(try await vessels.repository.vessel(id: "v2", deadline: .never) == stored)
            stored.id = "v3"
            stored.available = false
            #expect(try await vessels.repository.create(stored, claim: nil, deadline: .never) == stored)
            #expect(try await vessels.repository.vessel(id: "v3", deadline: .never) == stored)
            #expect(try await vessels.repository.vessel(id: "v4", deadline: .never) == nil)
        }
    }

    @Test("texts hold a NUL like any other character, in every store", arguments: StoreKind.allCases)
    func zeroBytes(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels async throws in
            var stored = vessel("a\0b", name: "\0name")
            stored.ownerID = "\0"
            #expect(try await vessels.repository.create(stored, claim: nil, deadline: .never) == stored)
            await #expect(throws: VesselError.idTaken("a\0b")) {
                try await vessels.repository.create(stored, claim: nil, deadline: .never)
            }
            let other = vessel("a\0c", capacity: 5)
            #expect(try await vessels.repository.create(other, claim: nil, deadline: .never) == other)
            #expect(try await vessels.repository.tightestFit(6, 1) == stored)
            #expect(try await vessels.repository.tightestFit(1, 1) == other)
        }
    }

    @Test("a vessel without an id gets one of its own", arguments: StoreKind.allCases)
    func makesIDs(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels in
            let first = try await vessels.repository.create(vessel(), claim: nil, deadline: .never)
            let second = try await vessels.repository.create(vessel(), claim: nil, deadline: .never)
            #expect(first.id.count == 32)
            #expect(first.id != second.id)
        }
    }

    @Test("a taken id is refused and the first vessel stays", arguments: StoreKind.allCases)
    func idTaken(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels in
            let first = vessel("same", capacity: 5)
            _ = try await vessels.repository.create(first, claim: nil, deadline: .never)
            for capacity in [5, 50] as [Int32] {
                await #expect(throws: VesselError.idTaken("same")) {
                    try await vessels.repository.create(
                        vessel("same", capacity: capacity, name: "Other"), claim: nil, deadline: .never)
                }
            }
            #expect(try await vessels.repository.tightestFit(1, 1) == first)
            #expect(try await vessels.repository.tightestFit(6, 1) == nil)
        }
    }

    @Test("of many callers with one id, one stores its vessel", arguments: StoreKind.allCases)
    func idRace(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels in
            let codes = await withTaskGroup(of: Status.Code.self) { tasks in
                for number in 0..<12 {
                    tasks.addTask {
                        await status {
                            try await vessels.repository.create(
                                vessel("same", capacity: Int32(number + 1)), claim: nil, deadline: .never)
                        }.code
                    }
                }
                return await tasks.reduce(into: [Status.Code: Int]()) { $0[$1, default: 0] += 1 }
            }
            #expect(codes == [.ok: 1, .alreadyExists: 11])
        }
    }

    @Test(
        "the fit is the smallest capacity, then the smallest weight, then the smallest id",
        arguments: StoreKind.allCases)
    func tightest(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels in
            let fleet = [
                vessel("large", capacity: 100, maxWeight: 50), vessel("heavy", capacity: 20, maxWeight: 900),
                vessel("b", capacity: 20, maxWeight: 500), vessel("a", capacity: 20, maxWeight: 500),
                vessel("weak", capacity: 20, maxWeight: 10), vessel("small", capacity: 3, maxWeight: 900),
            ]
            for vessel in fleet { _ = try await vessels.repository.create(vessel, claim: nil, deadline: .never) }
            let wanted: [(Int32, Int32, String?)] = [
                (0, 0, "small"), (3, 900, "small"), (3, 901, nil), (4, 0, "weak"), (4, 11, "a"), (20, 500, "a"),
                (20, 501, "heavy"), (21, 50, "large"), (21, 51, nil), (101, 0, nil), (.max, .max, nil),
            ]
            for (capacity, weight, id) in wanted {
                let found = try await vessels.repository.tightestFit(capacity, weight)
                #expect(found?.id == id, "\(capacity) \(weight)")
            }
        }
    }

    @Test(
        "the fit is right behind more vessels that are too weak than one look takes in", arguments: StoreKind.allCases)
    func bands(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels in
            var fleet: [Vessel_Vessel] = []
            for number in 1...70 as ClosedRange<Int32> {
                fleet.append(vessel("same\(number)", capacity: 100, maxWeight: number))
                fleet.append(vessel("up\(number)", capacity: 200 + number * 3, maxWeight: 100 - number))
            }
            fleet += [
                vessel("far", capacity: 70_000, maxWeight: 500), vessel("farther", capacity: .max, maxWeight: 600),
                vessel("edge", capacity: 4_096, maxWeight: 400),
            ]
            // A few at a time: of all at once a slow store would make the last wait for longer than the pool lets them.
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for (index, vessel) in fleet.enumerated() {
                    if index >= 8 { try await tasks.next() }
                    tasks.addTask { _ = try await vessels.repository.create(vessel, claim: nil, deadline: .never) }
                }
                try await tasks.waitForAll()
            }
            for capacity in [0, 1, 99, 100, 101, 300, 409, 410, 4_096, 4_097, 70_000, 70_001, .max] as [Int32] {
                for weight in [0, 1, 50, 70, 71, 97, 98, 400, 401, 500, 501, 600, 601] as [Int32] {
                    let best = fleet.filter { $0.capacity >= capacity && $0.maxWeight >= weight }
                        .min { ($0.capacity, $0.maxWeight, $0.id) < ($1.capacity, $1.maxWeight, $1.id) }
                    let found = try await vessels.repository.tightestFit(capacity, weight)
                    #expect(found == best, "\(capacity) \(weight)")
                }
            }
        }
    }

    @Test("what one process stored another finds", arguments: StoreKind.allCases)
    func reopening(kind: StoreKind) async throws {
        let folder = try TemporaryFolder()
        let address =
            kind == .sqlite ? "sqlite:\(folder.file("v.sqlite"))" : try await MongoServer.shared.value.uri()
        try await withVessels(at: address) { vessels in
            _ = try await vessels.repository.create(vessel("kept"), claim: nil, deadline: .never)
        }
        try await withVessels(at: address) { vessels in
            let found = try await vessels.repository.tightestFit(1, 1)
            #expect(found?.id == "kept")
        }
    }
}
