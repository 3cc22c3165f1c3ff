import Foundation
import TestSupport
import Testing

/// What the system is for, from the first sign-up to the list of bookings, in the words of the series' own clients.
@Suite("The whole story", .timeLimit(.minutes(10)))
struct StoryTests {
    /// The file that the series' command-line client sends.
    private static let booking = """
        {"description":"This is a test consignment","weight":55000,"containers":[\
        {"customer_id":"cust001","user_id":"user001","origin":"Manchester, United Kingdom"},\
        {"customer_id":"cust002","user_id":"user001","origin":"Derby, United Kingdom"},\
        {"customer_id":"cust005","user_id":"user001","origin":"Sheffield, United Kingdom"}]}
        """

    @Test("sign up, log in, book, list; and all of it is still there after a restart", arguments: [true, false])
    func story(isEmbedded: Bool) async throws {
        let folder = try TemporaryFolder()
        let stores = isEmbedded ? Harbor.Stores.embedded(in: folder) : try await Harbor.Stores.servers()
        let harbor = try Harbor(stores)
        var runs = try await harbor.start()
        let caller = Caller(port: harbor.gateway.port)

        let signedUp = try await caller.signUp("ewan.valentine89@gmail.com")
        #expect(signedUp.status == 200, "\(signedUp.body)")
        #expect(signedUp.text("user.email") == "ewan.valentine89@gmail.com")
        #expect(!signedUp.body.contains("correct horse") && !signedUp.body.contains("$2"))
        let first = signedUp.text("token.token")
        #expect(first.split(separator: ".").count == 3)

        let token = try await caller.logIn("ewan.valentine89@gmail.com").text("token")
        let validated = try await caller.rpc("user", "UserService.ValidateToken", #"{"token": "\#(token)"}"#)
        #expect(validated.json["valid"] as? Bool == true)

        let booked = try await caller.rpc(
            "shippy.consignment", "ConsignmentService.Create", Self.booking, token: token)
        #expect(booked.status == 200, "\(booked.body)")
        #expect(booked.json["created"] as? Bool == true)
        #expect(booked.text("consignment.vessel_id") == "vessel001")
        let again = try await caller.rpc(
            "shippy.consignment", "ConsignmentService.Create", Self.booking, token: first)
        #expect(again.text("consignment.id") != booked.text("consignment.id"))

        let list = try await caller.rpc("shippy.consignment", "ConsignmentService.Get", "{}", token: token)
        #expect(list.list("consignments").count == 2)
        let containers = list.list("consignments").first?["containers"] as? [[String: Any]]
        #expect(
            containers?.map { $0["origin"] as? String } == [
                "Manchester, United Kingdom", "Derby, United Kingdom", "Sheffield, United Kingdom",
            ])

        try await Harbor.stop(runs)
        runs = try await harbor.start()
        // A token outlives the service that made it.
        #expect(try await caller.rpc("consignment", "ConsignmentService.Get", "{}", token: token).body == list.body)
        let renewed = try await caller.logIn("Ewan.Valentine89@Gmail.com").text("token")
        #expect(try await caller.rpc("consignment", "ConsignmentService.Get", "{}", token: renewed).body == list.body)
        let twin = try await caller.signUp("EWAN.valentine89@gmail.com")
        #expect(twin.status == 409)
        try await Harbor.stop(runs)
    }

    @Test("nobody is let in without a good token, whichever service is away; all works again when it is back")
    func outages() async throws {
        let folder = try TemporaryFolder()
        let harbor = try Harbor(.embedded(in: folder))
        var runs = try await harbor.start()
        let caller = Caller(port: harbor.gateway.port)
        let token = try await caller.signUp("ada@example.com").text("token.token")
        func book(_ token: String?) async throws -> WebAnswer {
            try await caller.rpc("consignment", "ConsignmentService.Create", Self.booking, token: token)
        }
        #expect(try await book(token).status == 200)
        for token in [nil, "", "x", token + "x", String(token.dropLast(3))] as [String?] {
            let refused = try await book(token)
            #expect(refused.status == 401, "\(refused.body)")
            #expect(refused.headers["www-authenticate"].first == "Bearer")
        }

        // Without vessels nothing is booked, but the list is there.
        try await runs[0].crash()
        #expect(try await book(token).status == 503)
        #expect(try await caller.rpc("consignment", "ConsignmentService.Get", "{}", token: token).status == 200)
        runs[0] = try await harbor.vessel.startReady()
        try await eventually("a booking") { try await book(token).status == 200 }

        // Without users a good token is let in for the seconds for which it is remembered, a bad one never.
        try await runs[2].crash()
        #expect(try await book("x").status == 503)
        try await eventually("the end of what is remembered") { try await book(token).status == 503 }
        runs[2] = try await harbor.user.startReady()
        try await eventually("a booking") { try await book(token).status == 200 }
        try await eventually("a refusal") {
            let status = try await book("x").status
            // On another thread the connection may not be back yet.
            #expect(status == 401 || status == 503)
            return status == 401
        }
        let count = try await caller.rpc("consignment", "ConsignmentService.Get", "{}", token: token)
        #expect(count.list("consignments").count >= 3)
        try await Harbor.stop(runs)
    }

    @Test("with DISABLE_AUTH=true the consignment service lets everybody in, and says so")
    func disabled() async throws {
        let folder = try TemporaryFolder()
        var harbor = try Harbor(.embedded(in: folder))
        harbor.consignment.environment["DISABLE_AUTH"] = "true"
        let runs = try await harbor.start()
        let booked = try await Caller(port: harbor.gateway.port).rpc(
            "consignment", "ConsignmentService.Create", Self.booking)
        #expect(booked.status == 200)
        #expect(runs[3].output.contains("tokens are not checked"))
        try await Harbor.stop(runs)
    }
}
