import Foundation
import TestSupport
import Testing

/// What people and operators tell the system in confidence stays there.
@Suite("Secrets of people", .timeLimit(.minutes(10)))
struct PeopleSecretsTests {
    @Test("no password, hash, token or credential is in any log, answer or mail, at the most talkative level")
    func silence() async throws {
        let smtp = try await SMTPServer(login: "postman:hunter2-smtp")
        var stores = try await Harbor.Stores.servers()
        stores.userEnvironment["JWT_SECRET_PREVIOUS"] = "hunter2-jwt-hunter2-jwt-hunter2-jwt"
        stores.userEnvironment["JWT_SECRET"] = "hunter2-now-hunter2-now-hunter2-now"
        let harbor = try Harbor(
            stores, smtp: "smtp://postman:hunter2-smtp@127.0.0.1:\(smtp.port)", environment: ["LOG_LEVEL": "trace"])
        let runs = try await harbor.start()
        let caller = Caller(port: harbor.gateway.port)
        var answers: [WebAnswer] = []

        let signedUp = try await caller.signUp("ada@example.com", password: "hunter2-person")
        let token = signedUp.text("token.token")
        #expect(signedUp.status == 200 && !token.isEmpty)
        // The answers that are meant to hold a token are looked at without it.
        func keep(_ answer: WebAnswer) {
            var answer = answer
            if answer.status == 200 { answer.body = answer.body.replacing(/"token":"[^"]*"/, with: "") }
            answers.append(answer)
        }
        keep(signedUp)
        keep(try await caller.signUp("ada@example.com", password: "hunter2-again"))
        keep(try await caller.signUp("bad", password: "hunter2-bad"))
        keep(try await caller.logIn("ada@example.com", password: "hunter2-person"))
        keep(try await caller.logIn("ada@example.com", password: "hunter2-wrong"))
        keep(try await caller.logIn("eve@example.com", password: "hunter2-nobody"))
        keep(try await caller.rpc("user", "UserService.ValidateToken", #"{"token": "\#(token)x"}"#))
        keep(try await caller.rpc("user", "UserService.GetAll", "{}", token: token))
        keep(try await caller.rpc("user", "UserService.Get", #"{"id": "\#(signedUp.text("user.id"))"}"#, token: token))
        keep(try await caller.rpc("user", "UserService.Get", #"{"id": 7, "password": "hunter2-field"}"#, token: token))
        keep(try await caller.rpc("consignment", "ConsignmentService.Get", "{}", token: token))
        keep(try await caller.rpc("consignment", "ConsignmentService.Create", "{}", token: token + "x"))
        #expect(answers.map(\.status) == [200, 409, 400, 200, 401, 401, 401, 403, 200, 400, 200, 401])
        try await eventually("the mail") { smtp.mails.count == 1 }
        for program in harbor.programs { answers.append(try await Web.get(program.adminPort, "/metrics")) }
        try await Harbor.stop(runs)

        var told = runs.map { $0.output + $0.errors }
        for run in told { #expect(run.contains("\"level\":\"trace\"") || run.contains("\"level\":\"debug\"")) }
        told += answers.map { "\($0.headers) \($0.body)" }
        told += smtp.mails.map { $0.raw }
        let text = told.joined(separator: "\n")
        let signature = String(token.split(separator: ".").last ?? "none")
        for secret in ["hunter2", signature, "$2a$", "$2b$", PostgresServer.password] {
            let line = text.split(separator: "\n").first { $0.contains(secret) }
            #expect(line == nil, "\(secret): \(line ?? "")")
        }
    }
}
