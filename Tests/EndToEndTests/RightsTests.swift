import Contracts
import Foundation
import RPC
import TestSupport
import Testing

/// Who may do what: the table of the README, through the gateway and by gRPC directly.
@Suite("Rights", .timeLimit(.minutes(4)))
struct RightsTests {
    private static let booking = """
        {"description":"cargo","weight":1000,"containers":[{"customer_id":"c","origin":"Derby"}]}
        """

    /// A call as somebody makes it, and how it ends: by the gateway's status and by gRPC's.
    private struct Row {
        let service: String
        let method: String
        let request: String
        let token: String?
        let code: Status.Code
    }

    private static let httpStatus: [Status.Code: Int] = [
        .ok: 200, .invalidArgument: 400, .unauthenticated: 401, .permissionDenied: 403, .notFound: 404,
    ]

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

        func row(_ service: String, _ method: String, _ request: String, _ token: String?, _ code: Status.Code) -> Row {
            Row(service: service, method: method, request: request, token: token, code: code)
        }
        let rename = #"{"vessel": {"id": "\#(vesselID)", "name": "New"}, "update_mask": "name"}"#
        let seeded = #"{"vessel": {"id": "vessel001", "name": "New"}, "updateMask": "name"}"#
        let one = #"{"id": "\#(consignmentID)"}"#
        let someone = #"{"id": "\#(annID)"}"#
        let owned = #"{"name": "x", "capacity": 1, "max_weight": 1, "owner_id": "\#(annID)"}"#
        let rows = [
            row("vessel", "Create", owned, nil, .invalidArgument),
            row("vessel", "Create", owned, "forged", .unauthenticated),
            row("vessel", "List", "{}", nil, .ok), row("vessel", "Get", #"{"id": "\#(vesselID)"}"#, nil, .ok),
            row("vessel", "Update", rename, nil, .unauthenticated),
            row("vessel", "Update", rename, bobs, .permissionDenied), row("vessel", "Update", rename, anns, .ok),
            row("vessel", "Update", rename, olgas, .ok), row("vessel", "Update", seeded, anns, .permissionDenied),
            row("vessel", "Update", seeded, olgas, .ok),
            row("user", "Get", someone, nil, .unauthenticated), row("user", "Get", someone, bobs, .permissionDenied),
            row("user", "Get", #"{"id": "nobody"}"#, bobs, .permissionDenied), row("user", "Get", someone, anns, .ok),
            row("user", "Get", someone, olgas, .ok), row("user", "GetAll", "{}", nil, .unauthenticated),
            row("user", "GetAll", "{}", anns, .permissionDenied), row("user", "GetAll", "{}", olgas, .ok),
            row("consignment", "Get", "{}", nil, .unauthenticated), row("consignment", "Get", one, bobs, .notFound),
            row("consignment", "Get", one, anns, .ok), row("consignment", "Get", one, olgas, .ok),
            row("consignment", "Cancel", one, nil, .unauthenticated),
            row("consignment", "Cancel", one, bobs, .notFound), row("consignment", "Cancel", one, olgas, .ok),
            row("consignment", "Cancel", one, anns, .ok),
        ]
        for row in rows {
            let name = "\(row.service.capitalized)Service.\(row.method)"
            let answer = try await caller.rpc(row.service, name, row.request, token: row.token)
            #expect(answer.status == Self.httpStatus[row.code], "\(name) \(row.request): \(answer.body)")
        }
        for (program, service) in [
            (harbor.vessel, "vessel"), (harbor.user, "user"), (harbor.consignment, "consignment"),
        ] {
            try await withClient(of: program) { client in
                for row in rows where row.service == service && row.code != .ok {
                    let code = await client.status { try await Self.call($0, row) }
                    #expect(code == row.code, "\(row.service) \(row.method) \(row.request)")
                }
            }
        }
        // Nobody but the owner and operators sees a booking in a list.
        let listed = try await caller.rpc("consignment", "ConsignmentService.Get", "{}", token: bobs)
        #expect(listed.list("consignments").isEmpty)
        let all = try await caller.rpc("consignment", "ConsignmentService.Get", "{}", token: olgas)
        #expect(all.list("consignments").count == 1)
        // What is internal is not there.
        for method in ["Reserve", "Release"] {
            #expect(try await caller.rpc("vessel", "VesselService.\(method)", "{}", token: olgas).status == 404)
        }
        try await Harbor.stop(runs)
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
        case ("vessel", "Update"): try await send(VesselMethods.update)
        case ("user", "Get"): try await send(UserMethods.get)
        case ("user", "GetAll"): try await send(UserMethods.getAll)
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
        #expect(try await caller.rpc("vessel", "VesselService.Create", vessel).status == 401)
        let token = try await caller.signUp("ann@example.com").text("token.token")
        #expect(try await caller.rpc("vessel", "VesselService.Create", vessel, token: token).status == 200)
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
