import Contracts
import Foundation
import RPC
import TestSupport
import Testing

@testable import EmailService

/// The built program between real clients, stores and mail servers.
@Suite("Deliveries", .timeLimit(.minutes(10)))
struct DeliveryTests {
    /// Lends an address of an empty store of a kind.
    private func withStore(_ kind: StoreKind, _ body: (String) async throws -> Void) async throws {
        let folder = try TemporaryFolder()
        switch kind {
        case .sqlite: try await body("sqlite:\(folder.file("emails.sqlite"))")
        case .mongo: try await body(try await MongoServer.shared.value.uri())
        }
    }

    @Test("an event that comes often sends one mail", arguments: StoreKind.allCases)
    func once(kind: StoreKind) async throws {
        try await withStore(kind) { store in
            let server = try await SMTPServer()
            let program = try await Program.email(store: store, smtp: server.url)
            let run = try await program.startReady()
            try await withClient(of: program) { client in
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    for _ in 0..<20 { tasks.addTask { try await client.process(event("e1")) } }
                    try await tasks.waitForAll()
                }
                let sent = try await client.mail("e1", becomes: .sent)
                #expect(sent.attempts == 1 && sent.lastError.isEmpty && sent.to == "ewan@example.com")
                #expect(try await client.process(event("e1")).status == .sent)
                try await client.process(event("e2"))
                try await client.mail("e2", becomes: .sent)
            }
            #expect(server.mails.map(\.eventID) == ["e1", "e2"])
            let metrics = try await Web.get(program.adminPort, "/metrics").body
            #expect(metrics.contains("\nemail_sent_total 2\n") && metrics.contains("\nemail_failed_total 0\n"))
            #expect(try await run.stop() == 0)
        }
    }

    @Test("4xx is tried again until it is taken, 5xx is FAILED at once, and neither holds up others")
    func refusals() async throws {
        try await withStore(.sqlite) { store in
            let server = try await SMTPServer()
            let program = try await Program.email(store: store, smtp: server.url)
            let run = try await program.startReady()
            try await withClient(of: program) { client in
                try server.misbehave([.recipient: "451 4.7.1 greylisted"])
                try await client.process(event("later"))
                try await eventually("a try") { try await client.mail("later").lastError.contains("451 4.7.1 greyl") }
                #expect(try await client.mail("later").status == .pending)
                try server.misbehave([.recipient: "550 5.1.1 no such user"])
                try await client.process(event("never"))
                let failed = try await client.mail("never", becomes: .failed)
                #expect(failed.attempts == 1)
                #expect(failed.lastError == "naming the recipient: the server answered 550 5.1.1 no such user")
                // In the meantime the first may have been refused as well, if its second try was due: then it is told apart.
                try server.misbehave([:])
                try await client.process(event("other"))
                try await client.mail("other", becomes: .sent)
                #expect(try await client.process(event("never")).status == .failed)
            }
            #expect(!server.mails.map(\.eventID).contains("never"))
            #expect(try await run.stop() == 0)
        }
    }

    @Test("a postponed mail is sent when the server takes it, and says how many tries it took")
    func postponed() async throws {
        try await withStore(.sqlite) { store in
            let server = try await SMTPServer()
            try server.misbehave([.data: "451 4.3.0 busy"])
            let program = try await Program.email(store: store, smtp: server.url)
            let run = try await program.startReady()
            try await withClient(of: program) { client in
                try await client.process(event("later"))
                try await eventually("a try") { try await !client.mail("later").lastError.isEmpty }
                try server.misbehave([:])
                let sent = try await client.mail("later", becomes: .sent)
                #expect(sent.attempts >= 2 && sent.lastError.isEmpty)
            }
            #expect(server.mails.count == 1)
            let metrics = try await Web.get(program.adminPort, "/metrics").body
            #expect(!metrics.contains("\nemail_retries_total 0\n"))
            #expect(try await run.stop() == 0)
        }
    }

    @Test("a mail server that is down leaves the service ready, and all mails go when it is up")
    func serverDown() async throws {
        try await withStore(.sqlite) { store in
            let server = try await SMTPServer(isRunning: false)
            let program = try await Program.email(store: store, smtp: server.url)
            let run = try await program.startReady()
            try await withClient(of: program) { client in
                for number in 0..<10 { try await client.process(event("e\(number)")) }
                try await eventually("a fault") { run.output.contains("mails can't be sent now") }
                #expect(try await Web.get(program.adminPort, "/readyz").status == 200)
                #expect(try await Web.get(program.adminPort, "/metrics").body.contains("\nemail_delivery_blocked 1\n"))
                try await server.start()
                for number in 0..<10 { try await client.mail("e\(number)", becomes: .sent, within: .seconds(60)) }
            }
            #expect(Set(server.mails.map(\.eventID)).count == 10 && server.mails.count == 10)
            #expect(try await Web.get(program.adminPort, "/metrics").body.contains("\nemail_delivery_blocked 0\n"))
            #expect(try await run.stop() == 0)
        }
    }

    @Test("a mail server that hangs is given up, and its mails go when it is well again")
    func serverHangs() async throws {
        try await withStore(.sqlite) { store in
            let server = try await SMTPServer()
            try server.misbehave([.recipient: "hang"])
            let program = try await Program.email(store: store, smtp: server.url, environment: ["SMTP_TIMEOUT": "3"])
            let run = try await program.startReady()
            try await withClient(of: program) { client in
                for number in 0..<6 { try await client.process(event("e\(number)")) }
                try await eventually("timeouts of all that were in flight") {
                    run.output.split(separator: "\n").count { $0.contains("a mail is tried again later") } >= 4
                }
                // A try that has just begun has the time to hear the server's yes; without that, a twin is right.
                let connectionCount = server.connectionCount
                try await eventually("a new try") { server.connectionCount > connectionCount }
                try server.misbehave([:])
                for number in 0..<6 { try await client.mail("e\(number)", becomes: .sent, within: .seconds(60)) }
            }
            #expect(Set(server.mails.map(\.eventID)).count == 6 && server.mails.count == 6)
            #expect(try await run.stop() == 0)
        }
    }

    @Test("a wrong password stops the mails, not the service, and the right one after a restart sends them")
    func wrongPassword() async throws {
        try await withStore(.sqlite) { store in
            let server = try await SMTPServer(login: "ewan:right")
            let wrong = try await Program.email(store: store, smtp: "smtp://ewan:hunter2@127.0.0.1:\(server.port)")
            let run = try await wrong.startReady()
            try await withClient(of: wrong) { client in
                for number in 0..<5 { try await client.process(event("e\(number)")) }
                try await eventually("an error") { run.output.contains("check SMTP_URL") }
                try await eventually("a reason") { try await client.mail("e0").lastError.contains("535") }
                #expect(try await client.mail("e0").status == .pending)
            }
            #expect(try await run.stop() == 0)
            #expect(server.loginCount < 12, "a wrong password is tried sparingly")
            let right = try await Program.email(store: store, smtp: "smtp://ewan:right@127.0.0.1:\(server.port)")
            let second = try await right.startReady()
            try await withClient(of: right) { client in
                for number in 0..<5 { try await client.mail("e\(number)", becomes: .sent, within: .seconds(60)) }
            }
            #expect(server.mails.count == 5)
            #expect(try await second.stop() == 0)
        }
    }

    @Test("without SMTP_URL mails are stored and logged, and a start with it sends them")
    func noServer() async throws {
        try await withStore(.sqlite) { store in
            let without = try await Program.email(store: store)
            let run = try await without.startReady()
            try await withClient(of: without) { client in
                try await client.process(event("e1"))
                try await client.process(event("e1"))
                #expect(try await client.mail("e1").status == .pending)
            }
            #expect(run.output.contains("SMTP_URL is not set"))
            #expect(run.output.split(separator: "\n").count { $0.contains("a mail is stored and not sent") } == 1)
            #expect(!run.output.contains("ewan@example.com"))
            #expect(try await run.stop() == 0)
            let server = try await SMTPServer()
            let with = try await Program.email(store: store, smtp: server.url)
            let second = try await with.startReady()
            try await withClient(of: with) { client in _ = try await client.mail("e1", becomes: .sent) }
            #expect(server.mails.count == 1)
            #expect(try await second.stop() == 0)
        }
    }
}
