import Contracts
import Idempotency
import LeasedQueue
import RPC
import TestSupport
import Testing

@testable import ConsignmentService

/// The states of a booking and what is left to do for it, in each store.
@Suite(.timeLimit(.minutes(10))) struct BookingStateTests {
    private let deadline = Deadline.after(.seconds(120))

    private func begin(_ repository: any ConsignmentRepository, key: String? = nil) async throws -> Booking {
        let request = consignment()
        return try await repository.begin(
            request, userID: "user001", claim: try key.map { try claim($0, of: request) }, deadline: deadline)
    }

    @Test("only what is pending is booked or undone, and only what is being undone goes", arguments: StoreKind.allCases)
    func states(kind: StoreKind) async throws {
        try await withConsignments(kind) { consignments in
            let repository = consignments.repository
            let booking = try await begin(repository)
            #expect(booking.state == .pending && booking.vesselID.isEmpty)
            #expect(try await !repository.remove(booking, deadline: deadline))
            #expect(try await repository.booking(id: booking.id, deadline: deadline) == booking)
            let booked = try await repository.confirm(booking.id, vesselID: "v1", deadline: deadline)
            #expect(booked?.booking.state == .booked && booked?.booking.vesselID == "v1" && booked?.isOurs == true)
            // Whoever is late changes nothing, and is told so.
            let late = try await repository.confirm(booking.id, vesselID: "v2", deadline: deadline)
            #expect(late?.booking == booked?.booking && late?.isOurs == false)
            #expect(try await !repository.beginUndo(booking.id, deadline: deadline))
            for isFirst in [true, false] {
                let cancelled = try await repository.cancel(booking.id, deadline: deadline)
                #expect(cancelled?.booking.state == .cancelled && cancelled?.isOurs == isFirst)
                #expect(cancelled?.booking.owesRelease == true)
            }
            #expect(try await repository.booking(id: booking.id, deadline: deadline)?.owesRelease == true)
            try await repository.markReleased(booking.id, deadline: deadline)
            #expect(try await repository.booking(id: booking.id, deadline: deadline)?.owesRelease == false)
            let again = try await repository.cancel(booking.id, deadline: deadline)
            #expect(again?.isOurs == false && again?.booking.owesRelease == false)
            let tooLate = try await repository.confirm(booking.id, vesselID: "v2", deadline: deadline)
            #expect(tooLate?.booking.state == .cancelled && tooLate?.isOurs == false)

            let undone = try await begin(repository)
            #expect(try await repository.beginUndo(undone.id, deadline: deadline))
            #expect(try await repository.beginUndo(undone.id, deadline: deadline))
            #expect(try await repository.confirm(undone.id, vesselID: "v1", deadline: deadline) == nil)
            #expect(try await repository.cancel(undone.id, deadline: deadline) == nil)
            #expect(try await repository.booking(id: undone.id, deadline: deadline) == nil)
            let page = try await repository.page(after: nil, limit: 10, bytesMax: 1 << 20, deadline: deadline)
            #expect(page.consignments.map(\.id) == [booking.id])
            #expect(try await repository.remove(undone, deadline: deadline))
            #expect(try await !repository.remove(undone, deadline: deadline))
            #expect(try await !repository.beginUndo(undone.id, deadline: deadline))
        }
    }

    @Test(
        "a key stands for a new booking once its first is being undone, and is free when that is gone",
        arguments: StoreKind.allCases)
    func keys(kind: StoreKind) async throws {
        try await withConsignments(kind) { consignments in
            let repository = consignments.repository
            let first = try await begin(repository, key: "k")
            #expect(try await begin(repository, key: "k") == first)
            _ = try await repository.beginUndo(first.id, deadline: deadline)
            let key = try claim("k", of: consignment())
            #expect(try await repository.booking(of: key, deadline: deadline) == nil)
            let second = try await begin(repository, key: "k")
            #expect(second.id != first.id && second.state == .pending)
            // The end of the first takes nothing from the second.
            _ = try await repository.remove(first, deadline: deadline)
            #expect(try await repository.booking(of: key, deadline: deadline) == second)
            _ = try await repository.beginUndo(second.id, deadline: deadline)
            _ = try await repository.remove(second, deadline: deadline)
            #expect(try await repository.booking(of: key, deadline: deadline) == nil)
            let third = try await begin(repository, key: "k")
            #expect(third.id != second.id)
        }
    }

    @Test(
        "what is left to do is claimed once it is due, by one, and again after the lease", arguments: StoreKind.allCases
    )
    func claims(kind: StoreKind) async throws {
        try await withConsignments(kind) { consignments in
            let repository = consignments.repository
            func claim(_ lease: Duration = .seconds(60)) async throws -> [LeasedItem<Booking>] {
                try await repository.claim(limit: 10, lease: lease, deadline: deadline)
            }
            let pending = try await begin(repository)
            let booked = try await begin(repository)
            _ = try await repository.confirm(booked.id, vesselID: "v1", deadline: deadline)
            let cancelled = try await begin(repository)
            _ = try await repository.cancel(cancelled.id, deadline: deadline)
            // Their calls have time.
            #expect(try await claim().isEmpty)
            #expect(try await repository.statistics(deadline: deadline).pending == 2)
            for id in [pending.id, booked.id, cancelled.id] { try await repository.makeDue(id, deadline: deadline) }
            let first = try await claim(.milliseconds(500))
            #expect(Set(first.map(\.item.id)) == [pending.id, cancelled.id])
            #expect(first.allSatisfy { $0.attempts == 0 })
            // When their lease is over.
            var second: [LeasedItem<Booking>] = []
            try await eventually("the end of the lease") {
                second += try await claim()
                return second.count == 2
            }
            #expect(second.allSatisfy { $0.attempts == 1 })
            #expect(try await claim().isEmpty)
            for item in first {
                let isOurs = try await repository.retry(item.lease, after: .zero, error: "late", deadline: deadline)
                #expect(!isOurs)
            }
            for item in second {
                let isOurs = try await repository.retry(item.lease, after: .zero, error: "again", deadline: deadline)
                #expect(isOurs)
            }
            let third = try await claim()
            #expect(third.count == 2)
            try await repository.markReleased(cancelled.id, deadline: deadline)
            try await repository.finish(third.map(\.lease), deadline: deadline)
            #expect(try await repository.statistics(deadline: deadline).pending == 0)
        }
    }
}
