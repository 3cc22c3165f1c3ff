import Contracts
import NIOConcurrencyHelpers
import RPC
import TestSupport
import Testing

@testable import ConsignmentService

/// Calls with one key at the same time, which go on with the same intent, and one of them undoes it.
@Suite(.timeLimit(.minutes(10))) struct SharedIntentTests {
    private static let full = Status(.notFound, "no vessel carries it", reason: "FLEET_FULL")
    private static let undone: [ErrorDetail] = [.errorInfo(reason: "BOOKING_UNDONE")]

    /// Answers of two Creates with one key: the first Reserve finds no room, and the second arrives when that was undone.
    ///
    /// - Parameter hasRoomLater: whether every later Reserve finds room.
    private func overtaken(
        _ fixture: ConsignmentFixture, hasRoomLater: Bool
    ) async -> [Result<Consignment_Consignment, Status>] {
        let reserves = NIOLockedValueBox(0)
        let seen = fixture.upstreams.seen
        fixture.upstreams.behaviour.withLockedValue {
            $0.onReserve = { id in
                let number = reserves.withLockedValue { count in
                    count += 1
                    return count
                }
                switch number {
                case 1:
                    try await eventually("the other Reserve") { reserves.withLockedValue { $0 } >= 2 }
                    throw Self.full
                case 2: try await eventually("the Release") { seen.withLockedValue { $0.released.contains(id) } }
                default: if !hasRoomLater { throw Self.full }
                }
            }
        }
        return await withTaskGroup(of: Result<Consignment_Consignment, Status>.self) { tasks in
            for _ in 0..<2 {
                tasks.addTask {
                    do {
                        return .success(try await fixture.create(key: "k", timeout: .seconds(60)).consignment)
                    } catch { return .failure(Status(error)) }
                }
            }
            var answers: [Result<Consignment_Consignment, Status>] = []
            for await answer in tasks { answers.append(answer) }
            return answers
        }
    }

    private func stored(_ fixture: ConsignmentFixture) async throws -> [Consignment_Consignment] {
        try await fixture.repository.page(after: nil, limit: 100, bytesMax: 1 << 20, deadline: .never).consignments
    }

    @Test(
        "of two calls with one key both are told that the fleet is full, also the one whose intent the other undid",
        arguments: StoreKind.allCases)
    func fleetFull(kind: StoreKind) async throws {
        try await ConsignmentFixture.run(on: kind) { fixture in
            let answers = await overtaken(fixture, hasRoomLater: false)
            #expect(answers == [.failure(Self.full), .failure(Self.full)])
            let left = try await stored(fixture)
            #expect(left.isEmpty)
            #expect(fixture.booker.counts.count(.unsettled) == 0)
            // The key is free.
            fixture.upstreams.behaviour.withLockedValue { $0.onReserve = nil }
            let booked = try await fixture.create(key: "k").consignment
            #expect(booked.status == .booked)
        }
    }

    @Test("the call whose intent the other undid is booked when there is room by then", arguments: StoreKind.allCases)
    func roomAgain(kind: StoreKind) async throws {
        try await ConsignmentFixture.run(on: kind) { fixture in
            let answers = await overtaken(fixture, hasRoomLater: true)
            let booked = answers.compactMap { try? $0.get() }
            #expect(booked.map(\.status) == [.booked])
            #expect(answers.contains(.failure(Self.full)))
            let left = try await stored(fixture)
            #expect(left == booked)
            let held = fixture.upstreams.seen.withLockedValue { Set($0.held.keys) }
            #expect(held == Set(booked.map(\.id)))
        }
    }

    @Test("an intent that is undone between Reserve and its confirmation is begun anew", arguments: StoreKind.allCases)
    func undoneBeforeConfirmation(kind: StoreKind) async throws {
        try await ConsignmentFixture.run(on: kind) { fixture in
            let first = NIOLockedValueBox<String?>(nil)
            let repository = fixture.repository
            fixture.upstreams.behaviour.withLockedValue {
                $0.onReserve = { id in
                    let isFirst = first.withLockedValue { known in
                        defer { known = known ?? id }
                        return known == nil
                    }
                    guard isFirst else { return }
                    _ = try await repository.beginUndo(id, deadline: .after(.seconds(20)))
                }
            }
            let booked = try await fixture.create(key: "k").consignment
            let undone = first.withLockedValue { $0 }
            #expect(booked.status == .booked && undone != nil && booked.id != undone)
            let held = fixture.upstreams.seen.withLockedValue { Set($0.held.keys) }
            #expect(held == [booked.id])
        }
    }

    @Test("a call whose intents are all undone by others ends, and its caller is told to ask again")
    func bounded() async throws {
        try await ConsignmentFixture.run { fixture in
            fixture.upstreams.behaviour.withLockedValue {
                $0.reserve = Status(.failedPrecondition, "released", reason: "RELEASED")
            }
            for key in [nil, "k"] {
                fixture.upstreams.seen.withLockedValue { $0.released = [] }
                let refused = await status { try await fixture.create(key: key, timeout: .seconds(60)) }
                #expect(refused.code == .unavailable && refused.details == Self.undone)
                let begun = fixture.upstreams.seen.withLockedValue { $0.released.count }
                #expect(begun == ConsignmentHandlers.intentsMax)
            }
            let left = try await stored(fixture)
            #expect(left.isEmpty)
            #expect(fixture.booker.counts.count(.unsettled) == 0)
        }
    }
}
