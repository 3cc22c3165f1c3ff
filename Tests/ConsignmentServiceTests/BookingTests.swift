import Contracts
import Idempotency
import RPC
import TestSupport
import Testing

@testable import ConsignmentService

/// Bookings whose calls end half-way, and cancelled ones, with a real vessel service that refuses and loses answers.
@Suite(.timeLimit(.minutes(10))) struct BookingTests {
    private func held(_ fixture: ConsignmentFixture) -> Set<String> {
        fixture.upstreams.seen.withLockedValue { Set($0.held.keys) }
    }

    private func releases(_ fixture: ConsignmentFixture) -> Int {
        fixture.upstreams.seen.withLockedValue { $0.releases.count }
    }

    private func set(_ fixture: ConsignmentFixture, _ change: (inout Upstreams.Behaviour) -> Void) {
        fixture.upstreams.behaviour.withLockedValue { change(&$0) }
    }

    private func all(_ fixture: ConsignmentFixture) async throws -> [Consignment_Consignment] {
        try await fixture.repository.page(after: nil, limit: 100, bytesMax: 1 << 20, deadline: .never).consignments
    }

    @Test(
        "what was booked without a key and not answered is undone, and its room is free", arguments: StoreKind.allCases)
    func undone(kind: StoreKind) async throws {
        try await ConsignmentFixture.run(on: kind, hasWorker: true) { fixture in
            set(fixture) { $0.losesReserveAnswers = true }
            let lost = await status { try await fixture.create() }
            #expect(lost.code == .unavailable)
            try await eventually("nothing is left") { try await all(fixture).isEmpty && held(fixture).isEmpty }
            #expect(fixture.upstreams.seen.withLockedValue { $0.released.count } == 1)
        }
    }

    @Test("what was booked with a key is driven to its end, also when nobody asks again", arguments: StoreKind.allCases)
    func driven(kind: StoreKind) async throws {
        try await ConsignmentFixture.run(on: kind, hasWorker: true) { fixture in
            set(fixture) { $0.reserve = Status(.unavailable, "away") }
            let lost = await status { try await fixture.create(key: "k") }
            #expect(lost.code == .unavailable)
            let pending = try await all(fixture)
            #expect(pending.map(\.status) == [.pending] && held(fixture).isEmpty)
            set(fixture) { $0.reserve = nil }
            try await eventually("it is booked") { try await all(fixture).map(\.status) == [.booked] }
            #expect(held(fixture) == Set(pending.map(\.id)))
            #expect(try await fixture.create(key: "k").consignment.id == pending.first?.id)
            #expect(held(fixture).count == 1)
        }
    }

    @Test("a repeat goes on with a booking that is pending, and books it once", arguments: StoreKind.allCases)
    func repeats(kind: StoreKind) async throws {
        try await ConsignmentFixture.run(on: kind) { fixture in
            set(fixture) { $0.losesReserveAnswers = true }
            for _ in 0..<2 { #expect(await status { try await fixture.create(key: "k") }.code == .unavailable) }
            set(fixture) { $0.losesReserveAnswers = false }
            let booked = try await fixture.create(key: "k").consignment
            #expect(booked.status == .booked && held(fixture) == [booked.id])
            #expect(try await all(fixture) == [booked])
        }
    }

    @Test(
        "where Reserve finds no room nothing is left of the booking, and its key is free", arguments: StoreKind.allCases
    )
    func fleetFull(kind: StoreKind) async throws {
        try await ConsignmentFixture.run(on: kind) { fixture in
            let full = Status(.notFound, "no vessel carries it", reason: "FLEET_FULL")
            set(fixture) { $0.reserve = full }
            for key in [nil, "k"] { #expect(await status { try await fixture.create(key: key) } == full) }
            #expect(try await all(fixture).isEmpty)
            // Each has one outcome.
            let counts = fixture.booker.counts
            #expect(counts.count(.fleetFull) == 2 && counts.count(.undone) == 0 && counts.count(.unsettled) == 0)
            set(fixture) { $0.reserve = nil }
            let booked = try await fixture.create(key: "k").consignment
            #expect(booked.status == .booked && held(fixture) == [booked.id])
        }
    }

    @Test(
        "where Reserve finds no room and Release fails, a worker ends it, and a repeat meanwhile books anew",
        arguments: StoreKind.allCases)
    func halfUndone(kind: StoreKind) async throws {
        try await ConsignmentFixture.run(on: kind, hasWorker: true) { fixture in
            set(fixture) {
                $0.reserve = Status(.notFound, "full")
                $0.release = Status(.unavailable, "away")
            }
            #expect(await status { try await fixture.create(key: "k") }.code == .unavailable)
            #expect(try await all(fixture).isEmpty)
            set(fixture) { $0.reserve = nil }
            let booked = try await fixture.create(key: "k").consignment
            #expect(booked.status == .booked)
            set(fixture) { $0.release = nil }
            try await eventually("the first is ended") {
                fixture.upstreams.seen.withLockedValue { $0.released.count } == 1
            }
            #expect(try await fixture.create(key: "k").consignment == booked)
            #expect(try await all(fixture) == [booked] && held(fixture) == [booked.id])
        }
    }

    @Test("room that was booked for an intent that the store has lost is released", arguments: StoreKind.allCases)
    func lostIntent(kind: StoreKind) async throws {
        try await ConsignmentFixture.run(on: kind) { fixture in
            let begun = try await fixture.repository.begin(
                consignment(), userID: "user001", claim: nil, deadline: .never)
            #expect(try await fixture.repository.beginUndo(begun.id, deadline: .never))
            #expect(try await fixture.repository.remove(begun, deadline: .never))
            let lost = await status {
                try await fixture.booker.book(begun, CallOrigin(deadline: .after(.seconds(20))))
            }
            #expect(lost.code == .unavailable && held(fixture).isEmpty)
            #expect(fixture.upstreams.seen.withLockedValue { $0.released } == [begun.id])
        }
    }

    @Test("a repeat is answered from its key while the vessel service hangs")
    func repeatsWhileHanging() async throws {
        try await ConsignmentFixture.run { fixture in
            let booked = try await fixture.create(key: "k").consignment
            set(fixture) { $0.vesselsHang = true }
            // As much time as the gateway gives a call.
            #expect(try await fixture.create(key: "k", timeout: .seconds(5)).consignment == booked)
            set(fixture) { $0.vesselsHang = false }
        }
    }

    @Test("Cancel gives the room back, a repeat answers the same", arguments: StoreKind.allCases)
    func cancels(kind: StoreKind) async throws {
        try await ConsignmentFixture.run(on: kind) { fixture in
            let booked = try await fixture.create(key: "k").consignment
            let cancelled = try await fixture.cancel(booked.id)
            var expected = booked
            expected.status = .cancelled
            #expect(cancelled == expected && held(fixture).isEmpty)
            #expect(try await fixture.cancel(booked.id) == cancelled)
            // Nothing is left to release for the repeat.
            #expect(releases(fixture) == 1)
            #expect(try await fixture.find(booked.id) == cancelled)
            #expect(try await fixture.create(key: "k").consignment == cancelled)
        }
    }

    @Test("Cancel holds while the vessel service is away; the room is released later", arguments: StoreKind.allCases)
    func cancelsAlone(kind: StoreKind) async throws {
        try await ConsignmentFixture.run(on: kind, hasWorker: true) { fixture in
            let booked = try await fixture.create().consignment
            set(fixture) { $0.release = Status(.unavailable, "away") }
            #expect(try await fixture.cancel(booked.id).status == .cancelled)
            #expect(held(fixture) == [booked.id])
            set(fixture) { $0.release = nil }
            try await eventually("the room is back") { held(fixture).isEmpty }
        }
    }

    @Test(
        "Cancel is answered in time while the vessel service hangs; the room is released later",
        arguments: StoreKind.allCases)
    func cancelsWhileHanging(kind: StoreKind) async throws {
        try await ConsignmentFixture.run(on: kind, hasWorker: true) { fixture in
            let booked = try await fixture.create().consignment
            set(fixture) { $0.releaseHangs = true }
            #expect(try await fixture.cancel(booked.id, timeout: .seconds(20)).status == .cancelled)
            #expect(held(fixture) == [booked.id])
            set(fixture) { $0.releaseHangs = false }
            try await eventually("the room is back") { held(fixture).isEmpty }
        }
    }

    @Test("Cancel waits for Release for most of its time")
    func waitsForRelease() async throws {
        try await ConsignmentFixture.run { fixture in
            let booked = try await fixture.create().consignment
            #expect(try await fixture.cancel(booked.id, timeout: .seconds(6)).status == .cancelled)
            let times = fixture.upstreams.seen.withLockedValue { $0.releases }
            #expect(times.count == 1 && times[0] > .milliseconds(2_500) && times[0] <= .milliseconds(4_800))
        }
        let share = Booker.releaseDeadline(.after(.seconds(5))).remaining
        #expect(share > .seconds(3) && share <= .seconds(4))
        for long in [Deadline.never, .after(.seconds(60))] {
            #expect(Booker.releaseDeadline(long).remaining <= Booker.vesselTimeout)
        }
    }

    @Test(
        "a repeat of a Cancel that still waits for Release is answered once the room is back",
        arguments: StoreKind.allCases)
    func repeatsCancel(kind: StoreKind) async throws {
        try await ConsignmentFixture.run(on: kind) { fixture in
            let booked = try await fixture.create().consignment
            set(fixture) { $0.releaseHangs = true }
            async let first = fixture.cancel(booked.id, timeout: .seconds(60))
            try await eventually("the first Release") { releases(fixture) >= 1 }
            async let second = fixture.cancel(booked.id, timeout: .seconds(60))
            try await eventually("the Release of the repeat") { releases(fixture) >= 2 }
            set(fixture) { $0.releaseHangs = false }
            #expect(try await second.status == .cancelled)
            #expect(held(fixture).isEmpty)
            #expect(try await first.status == .cancelled)
        }
    }

    @Test("a repeat of a Cancel whose Release failed releases the room", arguments: StoreKind.allCases)
    func repeatReleases(kind: StoreKind) async throws {
        try await ConsignmentFixture.run(on: kind) { fixture in
            let booked = try await fixture.create().consignment
            set(fixture) { $0.release = Status(.unavailable, "away") }
            #expect(try await fixture.cancel(booked.id).status == .cancelled)
            #expect(held(fixture) == [booked.id])
            set(fixture) { $0.release = nil }
            #expect(try await fixture.cancel(booked.id).status == .cancelled)
            #expect(held(fixture).isEmpty)
            #expect(try await fixture.repository.statistics(deadline: .never).pending == 0)
        }
    }

    @Test("a booking that is cancelled while it is pending stays cancelled", arguments: StoreKind.allCases)
    func cancelsPending(kind: StoreKind) async throws {
        try await ConsignmentFixture.run(on: kind) { fixture in
            set(fixture) { $0.losesReserveAnswers = true }
            #expect(await status { try await fixture.create(key: "k") }.code == .unavailable)
            set(fixture) { $0.losesReserveAnswers = false }
            let id = try #require(try await all(fixture).first?.id)
            #expect(try await fixture.cancel(id).status == .cancelled)
            #expect(held(fixture).isEmpty)
            #expect(try await fixture.create(key: "k").consignment.status == .cancelled)
            #expect(held(fixture).isEmpty)
        }
    }

    @Test("people see and cancel their own, operators all; others' are as if they were not there")
    func rights() async throws {
        try await ConsignmentFixture.run { fixture in
            let own = try await fixture.create().consignment
            let bob = Upstreams.token("bob")
            let olga = Upstreams.token("olga", roles: ["operator"])
            #expect(try await fixture.get(token: bob).consignments.isEmpty)
            #expect(try await fixture.get(token: olga).consignments == [own])
            let missing = String(repeating: "0", count: 32)
            for id in [own.id, missing, "x", "'"] {
                for outcome in [
                    await status { try await fixture.find(id, token: bob) },
                    await status { try await fixture.cancel(id, token: bob) },
                ] {
                    #expect(outcome.code == .notFound)
                    #expect(outcome.message == "you have no consignment with this id")
                }
            }
            #expect(await status { try await fixture.cancel("", token: bob) }.code == .invalidArgument)
            #expect(await status { try await fixture.cancel(own.id, token: nil) }.code == .unauthenticated)
            #expect(try await fixture.find(own.id, token: olga) == own)
            #expect(try await fixture.find(own.id) == own)
            #expect(try await fixture.cancel(own.id, token: olga).status == .cancelled)
        }
    }
}
