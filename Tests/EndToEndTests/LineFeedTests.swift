import TestSupport
import Testing

/// A line feed is also the tag of a field in protobuf's encoding, so that texts of them read like messages.
@Suite("Texts that read like messages", .timeLimit(.minutes(10)))
struct LineFeedTests {
    @Test("texts of line feeds are texts: valid requests pass, and others fail as any other text does")
    func lineFeeds() async throws {
        let folder = try TemporaryFolder()
        let harbor = try Harbor(.embedded(in: folder))
        let runs = try await harbor.start()
        let caller = Caller(port: harbor.gateway.port)
        let person = try await caller.signUp("ewan@example.com")
        let token = person.text("token.token")
        let stored = try await caller.rpc(
            "vessel", "VesselService.Create", #"{"name": "Large", "capacity": 2000, "max_weight": 50000}"#,
            token: token)
        #expect(stored.text("vessel.name") == "Large")

        let text = String(repeating: #"\n"#, count: 60)
        let container = #"{"id": "\#(text)", "customer_id": "\#(text)", "origin": "\#(text)", "user_id": "\#(text)"}"#
        let containers = Array(repeating: container, count: 1_000).joined(separator: ",")
        let booked = try await caller.rpc(
            "consignment", "ConsignmentService.Create",
            #"{"description": "cargo", "weight": 1000, "containers": [\#(containers)]}"#, token: token)
        #expect(booked.text("consignment.status") == "BOOKED", "\(booked.status)")

        let long = String(repeating: #"\n"#, count: 100_000)
        let vessel = try await caller.rpc(
            "vessel", "VesselService.Create", #"{"name": "\#(long)", "capacity": 1, "max_weight": 1}"#, token: token)
        #expect(vessel.status == 400)
        let logIn = try await caller.logIn(long)
        #expect(logIn.status == 400 || logIn.status == 401)
        try await Harbor.stop(runs)
    }
}
