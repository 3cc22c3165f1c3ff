import Contracts
import Idempotency
import RPC
import TestSupport
import Testing

@testable import ConsignmentService

@Suite(.timeLimit(.minutes(10))) struct ConsignmentHandlersTests {
    @Test("a consignment is booked onto the vessel that carries its weight and its containers, and listed")
    func books() async throws {
        try await ConsignmentFixture.run { fixture in
            var request = consignment()
            request.id = "mine"
            request.vesselID = "vessel999"
            let answer = try await fixture.create(request)
            #expect(answer.created)
            #expect(answer.consignment.vesselID == "vessel001")
            #expect(answer.consignment.id != "mine")
            request.id = answer.consignment.id
            request.vesselID = "vessel001"
            #expect(answer.consignment.asked == request)
            #expect(answer.consignment.status == .booked && answer.consignment.userID == "user001")
            let age = WallClock.seconds - answer.consignment.createdAt.seconds
            #expect((0...60).contains(age))
            let held = fixture.upstreams.seen.withLockedValue { $0.held[request.id] }
            #expect(held?.containers == 3 && held?.weight == 55_000)
            let wanted = fixture.upstreams.seen.withLockedValue { $0.searches }
            #expect(wanted == [.with { ($0.capacity, $0.maxWeight) = (3, 55_000) }])
            let list = try await fixture.get()
            #expect(list.consignments == [answer.consignment])
            #expect(!list.created)
            #expect(list.nextPageToken.isEmpty)
        }
    }

    @Test("what breaks a rule is INVALID_ARGUMENT and names the field")
    func rules() async throws {
        try await ConsignmentFixture.run { fixture in
            let long = String(repeating: "ö", count: 201)
            let wrong: [(Consignment_Consignment, String)] = [
                (consignment(weight: 0), "weight"), (consignment(weight: -1), "weight"),
                (consignment(containers: 0), "containers"), (consignment(containers: 1_001), "containers"),
                (consignment(String(repeating: "x", count: 1_001)), "description"),
                (.with { ($0.weight, $0.containers) = (1, [.with { $0.origin = long }]) }, "containers[0].origin"),
                (
                    .with { ($0.weight, $0.containers) = (1, [.with { $0.customerID = long }]) },
                    "containers[0].customer_id"
                ),
            ]
            for (request, field) in wrong {
                let refused = await status { try await fixture.create(request) }
                #expect(refused.code == .invalidArgument, "\(field): \(refused)")
                #expect(refused.message.hasPrefix(field))
                #expect(refused.details == [.badRequest([.init(field: field, description: refused.message)])])
            }
            let largest = consignment(String(repeating: "ö", count: 1_000), containers: 1_000)
            #expect(await status { try await fixture.create(largest) } == .ok)
        }
    }

    @Test("where no vessel fits the answer is NOT_FOUND with the vessel service's words, and nothing is stored")
    func noneFits() async throws {
        try await ConsignmentFixture.run { fixture in
            let text = "no vessel carries 3 containers and 55000 kg"
            fixture.upstreams.behaviour.withLockedValue { $0.vessels = Status(.notFound, text) }
            let refused = await status { try await fixture.create() }
            #expect(refused == Status(.notFound, text))
            let seen = fixture.upstreams.seen.withLockedValue { $0 }
            #expect(seen.held.isEmpty && seen.released.isEmpty)
            let stored = try await fixture.get().consignments
            #expect(stored.isEmpty)
        }
    }

    @Test("pages go from token to token; sizes and tokens that are none are refused")
    func pages() async throws {
        try await ConsignmentFixture.run { fixture in
            var stored: [String] = []
            for index in 0..<5 { stored.append(try await fixture.create(consignment("\(index)")).consignment.id) }
            let first = try await fixture.get(size: 2)
            #expect(first.consignments.map(\.id) == Array(stored[0..<2]))
            let second = try await fixture.get(size: 2, page: first.nextPageToken)
            #expect(second.consignments.map(\.id) == Array(stored[2..<4]))
            // A token may be used again, also with another size.
            let rest = try await fixture.get(size: 1_000, page: first.nextPageToken)
            #expect(rest.consignments.map(\.id) == Array(stored[2...]))
            #expect(rest.nextPageToken.isEmpty)
            // More than a page may hold is as much as a page may hold.
            #expect(try await fixture.get(size: .max).consignments.count == 5)
            #expect(await status { try await fixture.get(size: -1) }.code == .invalidArgument)
            for token in ["x", "c1", "c1zz", first.nextPageToken + "0", first.nextPageToken.uppercased(), stored[0]] {
                let refused = await status { try await fixture.get(page: token) }
                #expect(refused.code == .invalidArgument, "\(token)")
                #expect(refused.message.hasPrefix("page_token"))
            }
        }
    }

    @Test("a repeat answers what the first call answered, also when no vessel would fit any more")
    func repeats() async throws {
        try await ConsignmentFixture.run { fixture in
            let first = try await fixture.create(key: "k")
            fixture.upstreams.behaviour.withLockedValue { $0.vesselID = "vessel002" }
            #expect(try await fixture.create(key: "k") == first)
            fixture.upstreams.behaviour.withLockedValue { $0.vessels = Status(.notFound, "none") }
            #expect(try await fixture.create(key: "k") == first)
            // A new token of the same user is the same caller.
            let renewed = Upstreams.token("user001", expiry: WallClock.seconds + 7_200)
            #expect(try await fixture.create(token: renewed, key: "k") == first)
            let refused = await status { try await fixture.create(consignment("another"), key: "k") }
            #expect(refused.code == .aborted)
            fixture.upstreams.behaviour.withLockedValue { $0.vessels = nil }
            let other = try await fixture.create(token: Upstreams.token("user002"), key: "k")
            #expect(other.consignment.id != first.consignment.id)
            #expect(try await fixture.get().consignments == [first.consignment])
            #expect(
                try await fixture.get(token: Upstreams.token("user002")).consignments == [other.consignment])
        }
    }

    @Test("request id, trace context and the time that is left go along on all calls; the caller's token does not")
    func passesOn() async throws {
        try await ConsignmentFixture.run { fixture in
            _ = try await fixture.create(timeout: .seconds(3))
            let seen = fixture.upstreams.seen.withLockedValue { $0 }
            #expect(seen.metadata.count == 3)
            for metadata in seen.metadata {
                #expect(metadata["x-request-id"] == "request-1")
                #expect(metadata["traceparent"] == "00-trace")
                #expect(metadata["tracestate"] == "a=b")
                #expect(metadata["authorization"] == nil)
            }
            for remaining in seen.remaining { #expect(remaining <= .seconds(3)) }
        }
    }

    @Test("the token is checked and the vessel looked for at the same time")
    func sideBySide() async throws {
        try await ConsignmentFixture.run { fixture in
            fixture.upstreams.behaviour.withLockedValue { ($0.usersHang, $0.vesselsHang) = (true, true) }
            async let answer = fixture.create()
            try await eventually("both calls under way") {
                fixture.upstreams.seen.withLockedValue { $0.validations == 1 && $0.searches.count == 1 }
            }
            fixture.upstreams.behaviour.withLockedValue { ($0.usersHang, $0.vesselsHang) = (false, false) }
            #expect(try await answer.created)
        }
    }

    @Test("a request of many elements is not decoded before its token is verified, however short it is")
    func manyElements() async throws {
        try await ConsignmentFixture.run { fixture in
            fixture.upstreams.behaviour.withLockedValue { $0.usersHang = true }
            let many = consignment(containers: 20)
            async let large = fixture.create(many)
            try await eventually("the first token's check") {
                fixture.upstreams.seen.withLockedValue { $0.validations == 1 }
            }
            async let small = fixture.create()
            try await eventually("the small one's look-up") {
                fixture.upstreams.seen.withLockedValue { !$0.searches.isEmpty }
            }
            let early = fixture.upstreams.seen.withLockedValue { $0.searches.map(\.capacity) }
            #expect(early == [3])
            fixture.upstreams.behaviour.withLockedValue { $0.usersHang = false }
            #expect(try await large.created)
            #expect(try await small.created)
        }
    }
}
