import Foundation
import RPC
import TestSupport
import Testing

@testable import EmailService

@Suite("The email service's settings and secrets", .timeLimit(.minutes(10)))
struct SettingsTests {
    static let mistakes: [([String: String], String)] =
        SMTPAddressTests.wrong.map { (["SMTP_URL": $0], "SMTP_URL: ") } + [
            (["MAIL_FROM": "nobody"], "MAIL_FROM: 'nobody'"),
            (["MAIL_FROM": "Shippy <jörg@example.com>"], "MAIL_FROM: "),
            (["SMTP_TIMEOUT": "0"], "SMTP_TIMEOUT: "), (["SMTP_TIMEOUT": "3600"], "SMTP_TIMEOUT: "),
            (["SMTP_CA": "/missing.pem"], "SMTP_CA: '/missing.pem'"), (["DB_HOST": "sqlite:"], "DB_HOST: "),
            (["DB_HOST": "postgresql://localhost/x"], "DB_HOST: "),
        ]

    @Test("what is set wrongly ends the program with one line, without the password", arguments: mistakes)
    func refusal(environment: [String: String], complaint: String) async throws {
        let program = try await Program.email(store: "sqlite:/dev/null/none", environment: environment)
        let run = try program.launch()
        #expect(try await run.status() == 64)
        #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
        #expect(run.errors.hasPrefix("shippy-email-service: \(complaint)"), "\(run.errors)")
        #expect(!(run.errors + run.output).contains("hunter2"))
    }

    @Test("the mail server's password, and the text of mails, are in no log at any level")
    func silence() async throws {
        let folder = try TemporaryFolder()
        let password = "hunter2-smtp"
        let server = try await SMTPServer(.starttls, login: "ewan:\(password)")
        let program = try await Program.email(
            store: "sqlite:\(folder.file("emails.sqlite"))",
            smtp: "smtp://ewan:\(password)@localhost:\(server.port)",
            environment: ["LOG_LEVEL": "trace", "SMTP_CA": server.authority])
        let run = try await program.startReady()
        var answers = ""
        try await withClient(of: program) { client in
            try await client.process(event("good", name: "secret-name"))
            try await client.mail("good", becomes: .sent)
            try server.misbehave([.recipient: "550 \(password) is no password"])
            try await client.process(event("bad", name: "secret-name"))
            answers += "\(try await client.mail("bad", becomes: .failed).lastError)"
            try server.misbehave([.login: "535 \(password) is wrong"])
            server.kill()
            try await server.start()
            try await client.process(event("login"))
            try await eventually("a failed login") { try await client.mail("login").lastError.contains("535") }
            answers += try await client.mail("login").lastError
        }
        answers += try await Web.get(program.adminPort, "/metrics").body
        answers += try await Web.get(program.adminPort, "/readyz").body
        #expect(try await run.stop() == 0)
        let told = run.output + run.errors + answers
        #expect(told.contains("535") && told.contains("a mail was sent"))
        let encoded = Base64.encode(Array(password.utf8), isPadded: true)
        for secret in [password, encoded, "secret-name", "ewan@example.com"] {
            let line = told.split(separator: "\n").first { $0.contains(secret) }
            #expect(line == nil)
        }
    }
}
