import Contracts
import Foundation
import RPC
import TestSupport
import Testing

/// Who may do what: the table of the README, through the gateway and by gRPC directly.
@Suite("Rights", .timeLimit(.minutes(10)))
struct RightsTests {
    private static let booking = """
        {"description":"cargo","weight":1000,"containers":[{"customer_id":"c","origin":"Derby"}]}
        """

    /// A call as somebody makes it, and how it ends: by the gateway's status and by gRPC's, with details for programs.
    private struct Row {
        let service: String
        let method: String
        let request: String
        let token: String?
        let code: Status.Code
        /// The reason, or the path of the invalid field; `nil` for a call that succeeds.
        let why: String?
    }

    private static let httpStatus: [Status.Code: Int] = [
        .ok: 200, .invalidArgument: 400, .failedPrecondition: 400, .unauthenticated: 401, .permissionDenied: 403,
        .notFound: 404,
    ]

    /// What ``Row/why`` expects, in the gateway's JSON.
    private static func why(_ answer: WebAnswer) -> String? {
        guard let detail = answer.list("details").first else { return nil }
        let violations = detail["field_violations"] as? [[String: Any]]
        return detail["reason"] as? String ?? violations?.first?["field"] as? String
    }

    /// The same in gRPC's trailers.
    private static func why(_ status: Status) -> String? {
        switch status.details.first {
        case .errorInfo(let reason)?: reason
        case .badRequest(let violations)?: violations.first?.field
        default: nil
        }
    }

    @Test("each refusal of the table is the same through the gateway and by gRPC; operators may all")
    func table() async throws {
        let folder = try TemporaryFolder()
        var harbor = try Harbor(.embedded(in: folder))
        var runs = try await harbor.start()
        let caller = Caller(port: harbor.gateway.port)
        let ann = try await caller.signUp("ann@example.com")
        let bob = try await caller.signUp("bob@example.com")
        let olga = try await caller.signUp("olga@example.com")
        let (annID, bobID, olgaID) = (ann.text("user.id"), bob.text("user.id"), olga.text("user.id"))
        let (anns, bobs) = (ann.text("token.token"), bob.text("token.token"))

        // A token from before somebody became an operator has no roles.
        #expect(try await runs[2].stop() == 0)
        harbor.user.environment["OPERATORS"] = "\(olgaID), somebody-else"
        runs[2] = try await harbor.user.startReady()
        let logIn = try await caller.logIn("olga@example.com")
        let olgas = logIn.text("token")
        let known = try await caller.rpc("user", "UserService.Get", #"{"id": "\#(olgaID)"}"#, token: olgas)
        #expect(known.json["user"].flatMap { ($0 as? [String: Any])?["roles"] as? [String] } == ["operator"])

        let vessel = try await caller.rpc(
            "vessel", "VesselService.Create",
            #"{"name": "Ann's", "capacity": 50, "max_weight": 50000, "owner_id": "\#(bobID)"}"#, token: anns)
        #expect(vessel.text("vessel.owner_id") == annID)
        let vesselID = vessel.text("vessel.id")
        let booked = try await caller.rpc("consignment", "ConsignmentService.Create", Self.booking, token: anns)
        let consignmentID = booked.text("consignment.id")
        #expect(booked.text("consignment.vessel_id") == vesselID && booked.text("consignment.status") == "BOOKED")
        // Stays booked.
        let kept = try await caller.rpc("consignment", "ConsignmentService.Create", Self.booking, token: anns)
        #expect(kept.text("consignment.vessel_id") == vesselID)

        func row(
            _ service: String, _ method: String, _ request: String, _ token: String?, _ code: Status.Code,
            _ why: String? = nil
        ) -> Row {
            Row(service: service, method: method, request: request, token: token, code: code, why: why)
        }
        func update(_ vessel: String, _ id: String, _ mask: String) -> String {
            #"{"vessel": {"id": "\#(id)", \#(vessel)}, "update_mask": "\#(mask)"}"#
        }
        let rename = update(#""name": "New""#, vesselID, "name")
        let unknown = update(#""name": "New""#, "nobody", "name")
        let full = update(#""max_weight": 999"#, vesselID, "maxWeight")
        let foreign = update(#""owner_id": "\#(bobID)""#, vesselID, "ownerId")
        let unnamed = update(#""name": "New""#, vesselID, "")
        let nothing = update(#""capacity": 0"#, vesselID, "capacity")
        let nobody = #"{"id": "nobody"}"#
        let noConsignment = #"{"id": "\#(String(repeating: "0", count: 32))"}"#
        let seeded = #"{"vessel": {"id": "vessel001", "name": "New"}, "updateMask": "name"}"#
        let one = #"{"id": "\#(consignmentID)"}"#
        let someone = #"{"id": "\#(annID)"}"#
        let owned = #"{"name": "x", "capacity": 1, "max_weight": 1, "owner_id": "\#(annID)"}"#
        let rows: [Row] = [
            row("vessel", "Create", owned, nil, .invalidArgument, "owner_id"),
            row("vessel", "Create", owned, "forged", .unauthenticated, "BAD_TOKEN"),
            row("vessel", "List", "{}", nil, .ok), row("vessel", "Get", #"{"id": "\#(vesselID)"}"#, nil, .ok),
            row("vessel", "Get", nobody, nil, .notFound, "UNKNOWN_VESSEL"),
            row("vessel", "Update", rename, nil, .unauthenticated, "NO_TOKEN"),
            row("vessel", "Update", rename, "forged", .unauthenticated, "BAD_TOKEN"),
            row("vessel", "Update", rename, bobs, .permissionDenied, "NOT_THE_OWNER"),
            row("vessel", "Update", rename, anns, .ok), row("vessel", "Update", rename, olgas, .ok),
            row("vessel", "Update", seeded, anns, .permissionDenied, "NOT_THE_OWNER"),
            row("vessel", "Update", seeded, olgas, .ok),
            row("vessel", "Update", unknown, anns, .notFound, "UNKNOWN_VESSEL"),
            row("vessel", "Update", full, bobs, .permissionDenied, "NOT_THE_OWNER"),
            row("vessel", "Update", full, anns, .failedPrecondition, "BELOW_BOOKED"),
            row("vessel", "Update", foreign, anns, .invalidArgument, "update_mask"),
            row("vessel", "Update", unnamed, anns, .invalidArgument, "update_mask"),
            row("vessel", "Update", nothing, anns, .invalidArgument, "vessel.capacity"),
            row("user", "Get", someone, nil, .unauthenticated, "NO_TOKEN"),
            row("user", "Get", someone, "forged", .unauthenticated, "BAD_TOKEN"),
            row("user", "Get", someone, bobs, .permissionDenied, "NOT_ALLOWED"),
            row("user", "Get", nobody, bobs, .permissionDenied, "NOT_ALLOWED"),
            row("user", "Get", nobody, olgas, .notFound, "UNKNOWN_USER"),
            row("user", "Get", someone, anns, .ok), row("user", "Get", someone, olgas, .ok),
            row("user", "GetAll", "{}", nil, .unauthenticated, "NO_TOKEN"),
            row("user", "GetAll", "{}", anns, .permissionDenied, "NOT_ALLOWED"),
            row("user", "GetAll", "{}", olgas, .ok),
            row("consignment", "Create", Self.booking, nil, .unauthenticated, "NO_TOKEN"),
            row("consignment", "Create", Self.booking, "forged", .unauthenticated, "BAD_TOKEN"),
            row("consignment", "Get", "{}", nil, .unauthenticated, "NO_TOKEN"),
            row("consignment", "Get", "{}", "forged", .unauthenticated, "BAD_TOKEN"),
            row("consignment", "Get", one, bobs, .notFound, "UNKNOWN_CONSIGNMENT"),
            row("consignment", "Get", noConsignment, anns, .notFound, "UNKNOWN_CONSIGNMENT"),
            row("consignment", "Get", nobody, olgas, .notFound, "UNKNOWN_CONSIGNMENT"),
            row("consignment", "Get", one, anns, .ok), row("consignment", "Get", one, olgas, .ok),
            row("consignment", "Cancel", one, nil, .unauthenticated, "NO_TOKEN"),
            row("consignment", "Cancel", one, bobs, .notFound, "UNKNOWN_CONSIGNMENT"),
            row("consignment", "Cancel", noConsignment, olgas, .notFound, "UNKNOWN_CONSIGNMENT"),
            row("consignment", "Cancel", one, olgas, .ok), row("consignment", "Cancel", one, anns, .ok),
        ]
        for row in rows {
            let name = "\(row.service.capitalized)Service.\(row.method)"
            let answer = try await caller.rpc(row.service, name, row.request, token: row.token)
            #expect(answer.status == Self.httpStatus[row.code], "\(name) \(row.request): \(answer.body)")
            #expect(Self.why(answer) == row.why, "\(name) \(row.request): \(answer.body)")
        }
        for (program, service) in [
            (harbor.vessel, "vessel"), (harbor.user, "user"), (harbor.consignment, "consignment"),
        ] {
            try await withClient(of: program) { client in
                for row in rows where row.service == service && row.code != .ok {
                    let status = await Self.status { try await Self.call(client, row) }
                    #expect(status.code == row.code, "\(row.service) \(row.method) \(row.request)")
                    #expect(Self.why(status) == row.why, "\(row.service) \(row.method) \(row.request)")
                }
            }
        }
        // Nobody but the owner and operators sees a booking in a list.
        let listed = try await caller.rpc("consignment", "ConsignmentService.Get", "{}", token: bobs)
        #expect(listed.list("consignments").isEmpty)
        let all = try await caller.rpc("consignment", "ConsignmentService.Get", "{}", token: olgas)
        #expect(all.list("consignments").count == 2)
        // What is internal is not there.
        for method in ["Reserve", "Release"] {
            #expect(try await caller.rpc("vessel", "VesselService.\(method)", "{}", token: olgas).status == 404)
        }
        try await releasedRoom(of: harbor.vessel)
        try await Harbor.stop(runs)
    }

    /// Reserve, for services alone, fails where the room of the consignment was released, and where none fits.
    private func releasedRoom(of vessel: Program) async throws {
        try await withClient(of: vessel) { client in
            let reservation = Vessel_Reservation.with { ($0.consignmentID, $0.containers, $0.weight) = ("gone", 1, 1) }
            let deadline = Deadline.after(.seconds(20))
            _ = try await client.call(VesselMethods.release, reservation, deadline: deadline)
            let late = await Self.status {
                _ = try await client.call(VesselMethods.reserve, reservation, deadline: deadline)
            }
            #expect(late.code == .failedPrecondition && Self.why(late) == "RELEASED")
            let large = Vessel_Reservation.with { ($0.consignmentID, $0.weight) = ("large", .max) }
            let full = await Self.status {
                _ = try await client.call(VesselMethods.reserve, large, deadline: deadline)
            }
            #expect(full.code == .notFound && Self.why(full) == "FLEET_FULL")
        }
    }

    /// How a call ends.
    private static func status(_ body: () async throws -> Void) async -> Status {
        do {
            try await body()
            return .ok
        } catch { return Status(error) }
    }

    /// The same call by gRPC.
    private static func call(_ client: RPCClient, _ row: Row) async throws {
        let metadata: Metadata = row.token.map { ["authorization": "Bearer \($0)"] } ?? [:]
        let deadline = Deadline.after(.seconds(20))
        func send<Request, Response>(_ method: Method<Request, Response>) async throws {
            let json = row.request.replacingOccurrences(of: "update_mask", with: "updateMask")
            _ = try await client.call(
                method, try Request(jsonString: json), metadata: metadata, deadline: deadline)
        }
        switch (row.service, row.method) {
        case ("vessel", "Create"): try await send(VesselMethods.create)
        case ("vessel", "Get"): try await send(VesselMethods.get)
        case ("vessel", "Update"): try await send(VesselMethods.update)
        case ("user", "Get"): try await send(UserMethods.get)
        case ("user", "GetAll"): try await send(UserMethods.getAll)
        case ("consignment", "Create"): try await send(ConsignmentMethods.create)
        case ("consignment", "Get"): try await send(ConsignmentMethods.get)
        case ("consignment", "Cancel"): try await send(ConsignmentMethods.cancel)
        default: Issue.record("no call for \(row.service) \(row.method)")
        }
    }

    @Test("with REQUIRE_TOKEN=true nobody stores a vessel without a token")
    func requiredToken() async throws {
        let folder = try TemporaryFolder()
        var harbor = try Harbor(.embedded(in: folder))
        harbor.vessel.environment["REQUIRE_TOKEN"] = "true"
        let runs = try await harbor.start()
        let caller = Caller(port: harbor.gateway.port)
        let vessel = #"{"name": "x", "capacity": 1, "max_weight": 1}"#
        let refused = try await caller.rpc("vessel", "VesselService.Create", vessel)
        #expect(refused.status == 401 && Self.why(refused) == "NO_TOKEN")
        let token = try await caller.signUp("ann@example.com").text("token.token")
        #expect(try await caller.rpc("vessel", "VesselService.Create", vessel, token: token).status == 200)
        try await withClient(of: harbor.vessel) { client in
            func create(_ token: String?) async -> Status {
                let row = Row(
                    service: "vessel", method: "Create", request: vessel, token: token, code: .ok, why: nil)
                return await Self.status { try await Self.call(client, row) }
            }
            let withoutToken = await create(nil)
            #expect(withoutToken.code == .unauthenticated && Self.why(withoutToken) == "NO_TOKEN")
            #expect(await create(token) == .ok)
        }
        try await Harbor.stop(runs)
    }

    @Test("curl -u logs in at /login; wrong passwords are refused and slowed as at Auth")
    func basicLogin() async throws {
        let folder = try TemporaryFolder()
        let harbor = try Harbor(.embedded(in: folder))
        let runs = try await harbor.start()
        let port = harbor.gateway.port
        _ = try await Caller(port: port).signUp("ann@example.com", password: "correct: hörse")
        func curl(_ arguments: String...) async throws -> String {
            try await Tool.run("curl", ["-s", "-i", "http://127.0.0.1:\(port)/login"] + arguments)
        }
        let good = try await curl("-u", "ann@example.com:correct: hörse")
        #expect(good.hasPrefix("HTTP/1.1 200") && good.contains("cache-control: no-store"))
        let body = try #require(good.components(separatedBy: "\r\n\r\n").last)
        let answer = WebAnswer(status: 200, headers: [:], body: body)
        #expect(answer.json.keys.sorted() == ["token"])
        let list = try await Caller(port: port).rpc(
            "consignment", "ConsignmentService.Get", "{}", token: answer.text("token"))
        #expect(list.status == 200)
        for arguments in [[], ["-H", "Authorization: Basic !!!"], ["-H", "Authorization: Bearer x"]] {
            let refused = try await Tool.run("curl", ["-s", "-i", "http://127.0.0.1:\(port)/login"] + arguments)
            #expect(refused.hasPrefix("HTTP/1.1 401"))
            #expect(refused.lowercased().contains("www-authenticate: basic realm=\"shippy\"\r\n"))
        }
        #expect(try await curl("-X", "POST", "-u", "ann@example.com:x").hasPrefix("HTTP/1.1 405"))
        var statuses: [String] = []
        for _ in 0..<5 { statuses.append(String(try await curl("-u", "ann@example.com:wrong-one").prefix(12))) }
        #expect(statuses.contains("HTTP/1.1 401") && statuses.last == "HTTP/1.1 429", "\(statuses)")
        try await Harbor.stop(runs)
    }
}
