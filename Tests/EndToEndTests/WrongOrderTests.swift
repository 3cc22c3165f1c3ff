import TestSupport
import Testing

/// A cluster starts everything at once, and which is first is chance.
@Suite("The wrong way round", .timeLimit(.minutes(10)))
struct WrongOrderTests {
    @Test("callers before callees, and all before their databases, become ready by themselves and lose nothing")
    func callersFirst() async throws {
        let postgres = try await PostgresServer(starts: false)
        let mongo = try await MongoServer()
        mongo.kill()
        let smtp = try await SMTPServer()
        let harbor = try Harbor(
            Harbor.Stores(
                vessel: mongo.uri(), email: mongo.uri(), user: postgres.uri(database: "postgres"),
                consignment: mongo.uri(), userEnvironment: ["JWT_SECRET": Harbor.jwtSecret]),
            smtp: "smtp://127.0.0.1:\(smtp.port)")
        var runs: [ProcessRun] = []
        for program in harbor.programs.reversed() { runs.append(try await program.start()) }
        for program in harbor.programs {
            #expect(try await Web.get(program.adminPort, "/readyz").status == 503)
            #expect(try await Web.get(program.adminPort, "/healthz").status == 200)
        }

        try await postgres.start()
        try await mongo.start()
        for program in harbor.programs {
            try await eventually("readiness of \(program.executable)") {
                try await Web.get(program.adminPort, "/readyz").status == 200
            }
        }
        let caller = Caller(port: harbor.gateway.port)
        let token = try await caller.signUp("ewan@example.com").text("token.token")
        let booked = try await caller.rpc(
            "consignment", "ConsignmentService.Create",
            #"{"description": "d", "weight": 1, "containers": [{"origin": "Derby"}]}"#, token: token)
        #expect(booked.status == 200, "\(booked.body)")
        #expect(booked.text("consignment.vessel_id") == "vessel001")
        try await eventually("the welcome mail") { smtp.mails.count == 1 }
        try await Harbor.stop(runs.reversed())
    }
}
