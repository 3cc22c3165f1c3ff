import Foundation
import TestSupport
import Testing

/// Nothing that was told in confidence is told on, however much is logged.
@Suite("Secrets", .timeLimit(.minutes(10)))
struct SecretsTests {
    @Test("no password, token or key is in any log or answer, at the most talkative level")
    func silence() async throws {
        let server = try await MongoServer()
        let password = "hunter2-database"
        let uri = try await server.uriOfNewUser("shippy", password: password)
        let fleet = try await Fleet(
            store: uri,
            environment: [
                "LOG_LEVEL": "trace", "JWT_SECRET": "jwt-secret-jwt-secret-jwt-secret-jwt", "DISABLE_AUTH": "true",
            ])
        let runs = try await fleet.start()
        let secrets = [
            "authorization": "Bearer secret-bearer", "token": "secret-token", "idempotency-key": "secret-key",
            "cookie": "session=secret-cookie", "x-api-key": "secret-api-key",
        ]
        var answers: [WebAnswer] = []
        func post(_ body: String, _ headers: [String: String] = secrets) async throws {
            answers.append(
                try await Web.rpc(fleet.gateway.port, body, headers: .init(headers.map { ($0.key, $0.value) })))
        }

        try await post(VesselJSON().create)
        try await post(VesselJSON(capacity: 0).create)
        try await post(VesselJSON(name: "another").create)
        try await post(#"{"service": "vessel", "method": "VesselService.Create", "request": "not JSON"#)
        try await post(
            #"{"service": "user", "method": "UserService.Auth", "request": {"password": "secret-password"}}"#)
        try await post(VesselJSON.find(capacity: 1, weight: 1), secrets.filter { $0.key != "idempotency-key" })
        let (created, invalid, mismatched) = (answers[0], answers[1], answers[2])
        #expect(created.status == 200 && invalid.status == 400 && mismatched.status == 409, "\(answers)")

        // What the store says when it goes must not bring anything along either.
        server.kill()
        try await eventually("a service that is not ready") {
            try await Web.get(fleet.vessel.adminPort, "/readyz").status == 503
        }
        try await post(VesselJSON(name: "unstored").create, ["authorization": "Bearer secret-bearer"])
        #expect(answers.last?.status == 503)
        for port in [fleet.vessel.adminPort, fleet.gateway.adminPort, fleet.gateway.port] {
            answers.append(try await Web.get(port, "/readyz"))
            answers.append(try await Web.get(port, "/metrics"))
        }
        #expect(try await runs.gateway.stop() == 0)
        #expect(try await runs.vessel.stop() == 0)

        let logs = [runs.vessel, runs.gateway].map { $0.output + $0.errors }.joined()
        #expect(
            logs.contains("\"level\":\"debug\"") || logs.contains("\"level\":\"trace\""), "nothing talkative was logged"
        )
        let told = logs + answers.map { "\($0.headers) \($0.body)" }.joined(separator: "\n")
        for secret in [password, "jwt-secret", "secret-"] {
            #expect(
                !told.contains(secret), "\(secret): \(told.split(separator: "\n").first { $0.contains(secret) } ?? "")")
        }
        for answer in answers.filter({ $0.status >= 400 && $0.headers.contains(name: "x-request-id") }) {
            #expect(!answer.body.contains("\(server.port)") && !answer.body.contains("mongo"), "\(answer.body)")
        }
    }
}
