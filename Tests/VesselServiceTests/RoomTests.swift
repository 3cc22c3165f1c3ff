import Contracts
import Logging
import RPC
import TestSupport
import Testing

@testable import VesselService

/// Booking room on vessels and giving it back, in each store.
@Suite(.timeLimit(.minutes(10))) struct RoomTests {
    private func store(_ vessels: VesselStore, _ fleet: Vessel_Vessel...) async throws {
        for vessel in fleet { _ = try await vessels.repository.create(vessel, claim: nil, deadline: .never) }
    }

    @Test(
        "room is booked on the tightest fit of what is left, and a repeat books nothing", arguments: StoreKind.allCases)
    func reserves(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels in
            let repository = vessels.repository
            try await store(
                vessels, vessel("a", capacity: 10, maxWeight: 100), vessel("b", capacity: 12, maxWeight: 1_000))
            let first = try await repository.reserve(4, 40, for: "c1")
            #expect(first?.id == "a" && first?.bookedContainers == 4 && first?.bookedWeight == 40)
            #expect(try await repository.reserve(4, 40, for: "c1")?.id == "a")
            #expect(try await repository.vessel(id: "a", deadline: .never)?.bookedContainers == 4)
            // 6 containers and 60 kg are left of a.
            #expect(try await repository.tightestFit(6, 60)?.id == "a")
            #expect(try await repository.tightestFit(6, 61)?.id == "b")
            #expect(try await repository.reserve(7, 1, for: "c2")?.id == "b")
            #expect(try await repository.reserve(6, 900, for: "c3") == nil)
            #expect(try await repository.reserve(5, 900, for: "c3")?.id == "b")
            #expect(try await repository.tightestFit(1, 0)?.id == "a")
        }
    }

    @Test("room is released once, and released room can't be booked again", arguments: StoreKind.allCases)
    func releases(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels in
            let repository = vessels.repository
            try await store(vessels, vessel("a", capacity: 10, maxWeight: 100))
            _ = try await repository.reserve(4, 40, for: "c1")
            _ = try await repository.reserve(6, 60, for: "c2")
            for _ in 0..<2 {
                try await repository.release("c1", deadline: .never)
                let left = try await repository.vessel(id: "a", deadline: .never)
                #expect(left?.bookedContainers == 6 && left?.bookedWeight == 60)
                await #expect(throws: VesselError.released("c1")) { try await repository.reserve(4, 40, for: "c1") }
            }
            // A Release that overtakes its Reserve wins.
            for _ in 0..<2 { try await repository.release("never", deadline: .never) }
            await #expect(throws: VesselError.released("never")) { try await repository.reserve(1, 1, for: "never") }
            #expect(try await repository.vessel(id: "a", deadline: .never)?.bookedContainers == 6)
        }
    }

    @Test(
        "of 32 callers at once exactly as many get room as there is, and after ten left exactly ten more",
        arguments: StoreKind.allCases, [true, false])
    func crowd(kind: StoreKind, isByWeight: Bool) async throws {
        try await withVessels(kind) { vessels in
            let repository = vessels.repository
            // Many that take the containers and not the weight, of all sizes, are in the way of the search.
            for number in 0..<48 as Range<Int32> {
                try await store(vessels, vessel("small\(number)", capacity: number * number + 1, maxWeight: 99))
            }
            // 50 places: 20, 20 and 10.
            for (index, places) in ([20, 20, 10] as [Int32]).enumerated() {
                let large: Int32 = 1_000_000
                try await store(
                    vessels,
                    vessel(
                        "v\(index)", capacity: isByWeight ? large : places,
                        maxWeight: isByWeight ? places * 100 : large))
            }
            let booked = try await book(repository, "first", count: 96, callers: 32)
            #expect(booked.count == 50)
            try await check(repository, total: 50)
            for id in booked.sorted().prefix(10) { try await repository.release(id, deadline: .after(.seconds(60))) }
            try await check(repository, total: 40)
            let later = try await book(repository, "second", count: 32, callers: 32)
            #expect(later.count == 10)
            try await check(repository, total: 50)
        }
    }

    /// - Returns: the ids that got room.
    private func book(
        _ repository: any VesselRepository, _ prefix: String, count: Int, callers: Int
    ) async throws -> Set<String> {
        try await withThrowingTaskGroup(of: String?.self) { tasks in
            var booked: Set<String> = []
            for number in 0..<count {
                if number >= callers, let id = try await tasks.next() ?? nil { booked.insert(id) }
                tasks.addTask {
                    let id = "\(prefix)\(number)"
                    return try await repository.reserve(1, 100, for: id) == nil ? nil : id
                }
            }
            for try await case let id? in tasks { booked.insert(id) }
            return booked
        }
    }

    private func check(_ repository: any VesselRepository, total: Int32) async throws {
        let fleet = try await repository.all()
        #expect(fleet.reduce(0) { $0 + $1.bookedContainers } == total)
        #expect(fleet.reduce(0) { $0 + $1.bookedWeight } == total * 100)
        #expect(fleet.allSatisfy { $0.bookedContainers <= $0.capacity && $0.bookedWeight <= $0.maxWeight })
    }

    @Test(
        "calls for one consignment at the same time book once, and all name one vessel", arguments: StoreKind.allCases)
    func repeats(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels in
            let repository = vessels.repository
            for number in 0..<4 { try await store(vessels, vessel("v\(number)", capacity: 5)) }
            for round in 0..<3 {
                let found = try await withThrowingTaskGroup(of: String?.self) { tasks in
                    for _ in 0..<8 {
                        tasks.addTask { try await repository.reserve(2, 2, for: "c\(round)")?.id }
                    }
                    return try await tasks.reduce(into: Set<String?>()) { $0.insert($1) }
                }
                #expect(found.count == 1 && !found.contains(nil))
                #expect(try await repository.all().reduce(0) { $0 + $1.bookedContainers } == Int32(2 * (round + 1)))
            }
        }
    }

    @Test("Reserve and Release of one consignment at the same time leave nothing booked", arguments: StoreKind.allCases)
    func overtaking(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels in
            let repository = vessels.repository
            try await store(vessels, vessel("v", capacity: 5))
            await withTaskGroup(of: Void.self) { tasks in
                for number in 0..<24 {
                    let id = "c\(number / 4)"
                    tasks.addTask {
                        if number % 2 == 0 {
                            _ = try? await repository.reserve(1, 1, for: id)
                        } else {
                            try? await repository.release(id, deadline: .after(.seconds(60)))
                        }
                    }
                }
            }
            let left = try await repository.vessel(id: "v", deadline: .never)
            #expect(left?.bookedContainers == 0 && left?.bookedWeight == 0)
            #expect(try await repository.tightestFit(5, 1)?.id == "v")
        }
    }

    @Test("a vessel is changed, and the search finds it as it is then", arguments: StoreKind.allCases)
    func updates(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels in
            let repository = vessels.repository
            try await store(vessels, vessel("a", capacity: 10, maxWeight: 100))
            _ = try await repository.reserve(4, 40, for: "c1")
            func update(_ change: @escaping @Sendable (inout Vessel_Vessel) throws -> Void) async throws
                -> Vessel_Vessel?
            {
                try await repository.update(id: "a", deadline: .never, change)
            }
            let closed = try await update { $0.available = false }
            #expect(closed?.available == false && closed?.bookedContainers == 4)
            #expect(try await repository.tightestFit(1, 1) == nil)
            #expect(try await repository.reserve(1, 1, for: "c2") == nil)
            // Also then room is released.
            try await repository.release("c1", deadline: .never)
            _ = try await update { $0.clearAvailable() }
            #expect(try await repository.tightestFit(10, 100)?.id == "a")
            _ = try await update {
                $0.name = "Grown"
                $0.capacity = 70_000
                $0.maxWeight = 7_000_000
            }
            let grown = try await repository.tightestFit(70_000, 7_000_000)
            #expect(grown?.name == "Grown")
            await #expect(throws: VesselError.notTheOwner) { try await update { _ in throw VesselError.notTheOwner } }
            #expect(try await repository.update(id: "b", deadline: .never) { _ in } == nil)
        }
    }

    @Test("pages hold each vessel once, in the order of their ids' bytes", arguments: StoreKind.allCases)
    func pages(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels in
            let ids = ["B", "a", "a0", "b", "ä", "\u{1F6A2}", "z"]
            for id in ids.shuffled() { try await store(vessels, vessel(id)) }
            let expected = ids.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            var seen: [String] = []
            var after: String?
            repeat {
                let page = try await vessels.repository.page(after: after, limit: 2, deadline: .never)
                seen += page.map(\.id)
                after = page.last?.id
            } while after != nil
            #expect(seen == expected)
        }
    }

    @Test(
        "whatever is booked, released and changed, the search finds the tightest fit", arguments: StoreKind.allCases)
    func search(kind: StoreKind) async throws {
        try await withVessels(kind) { vessels in
            let repository = vessels.repository
            var random = SeededNumbers(seed: 7)
            let count: Int32 = kind == .sqlite ? 150 : 60
            for number in 0..<count {
                // Many alike, so that more are too weak than one look takes in.
                let capacities: [Int32] = [40, 40, 41, 300 + number * 7, 70_000, .max]
                let weights: [Int32] = [50, 60, 70, 5_000, .max]
                let capacity = capacities.randomElement(using: &random) ?? 1
                let weight = weights.randomElement(using: &random) ?? 1
                try await store(vessels, vessel("v\(number)", capacity: capacity, maxWeight: weight))
            }
            var reserved: [String] = []
            for step in 0..<(kind == .sqlite ? 600 : 60) {
                let room = Room(
                    containers: [0, 1, 16, 17, 40, 41, 299, 4_096, 69_999].randomElement(using: &random) ?? 1,
                    weight: [0, 1, 10, 51, 61, 71, 4_999].randomElement(using: &random) ?? 1)
                let fleet = try await repository.all()
                let best =
                    fleet
                    .filter {
                        $0.roomOffered.map { $0.containers >= room.containers && $0.weight >= room.weight } ?? false
                    }
                    .min { left, right in
                        let (a, b) = (left.roomOffered, right.roomOffered)
                        return (a?.containers ?? 0, a?.weight ?? 0, left.id) < (
                            b?.containers ?? 0, b?.weight ?? 0, right.id
                        )
                    }
                #expect(try await repository.tightestFit(room, deadline: .never) == best, "step \(step), \(room)")
                switch Int.random(in: 0..<6, using: &random) {
                case 0 where !reserved.isEmpty:
                    try await repository.release(reserved.removeLast(), deadline: .never)
                case 1:
                    _ = try await repository.update(
                        id: "v\(Int32.random(in: 0..<count, using: &random))", deadline: .never
                    ) {
                        $0.available = !($0.hasAvailable && $0.available)
                    }
                default:
                    let vessel = try await repository.reserve(room, for: "c\(step)", deadline: .never)
                    #expect(vessel?.id == best?.id)
                    if vessel != nil { reserved.append("c\(step)") }
                }
            }
        }
    }
}
