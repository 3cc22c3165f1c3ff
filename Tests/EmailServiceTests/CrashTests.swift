import Contracts
import Foundation
import RPC
import TestSupport
import Testing

@testable import EmailService

/// Each mail once, whatever dies.
///
/// The timeouts are long enough that a loaded machine's mail server answers within them: a mail whose answer does not come
/// in time is rightly tried again.
@Suite("Crashes", .serialized, .timeLimit(.minutes(10)))
struct CrashTests {
    /// How often each event's mail arrived.
    private func counts(_ mails: [ReceivedMail]) -> [String: Int] {
        mails.reduce(into: [:]) { $0[$1.eventID, default: 0] += 1 }
    }

    private func order(_ count: Int, of program: Program, from start: Int = 0) async throws {
        try await withClient(of: program) { client in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for number in start..<(start + count) {
                    // No more at a time than a relay sends.
                    if number >= start + 16 { try await tasks.next() }
                    tasks.addTask { try await client.process(event("e\(number)")) }
                }
                try await tasks.waitForAll()
            }
        }
    }

    @Test(
        "a service that is killed with mails pending sends each once after its restart", arguments: StoreKind.allCases)
    func killedWithPending(kind: StoreKind) async throws {
        let folder = try TemporaryFolder()
        let mongo = kind == .mongo ? try await MongoServer() : nil
        let server = try await SMTPServer(isRunning: false)
        let program = try await Program.email(
            store: mongo?.uri() ?? "sqlite:\(folder.file("emails.sqlite"))", smtp: server.url,
            environment: ["SMTP_TIMEOUT": "3"])
        let first = try await program.startReady()
        try await order(40, of: program)
        try await first.crash()
        try await server.start()
        let second = try await program.startReady()
        try await eventually("40 mails", within: .seconds(60)) { server.mails.count >= 40 }
        try await withClient(of: program) { client in
            for number in 0..<40 { try await client.mail("e\(number)", becomes: .sent) }
        }
        #expect(counts(server.mails).count == 40 && server.mails.count == 40)
        #expect(try await second.stop() == 0)
        mongo?.kill()
    }

    @Test("killed in the middle of sending, again and again, no mail is lost and only those in flight may be twins")
    func killedWhileSending() async throws {
        let folder = try TemporaryFolder()
        let server = try await SMTPServer()
        // Long enough that kills meet mails in flight.
        try server.misbehave([.linger: "30"])
        let program = try await Program.email(
            store: "sqlite:\(folder.file("emails.sqlite"))", smtp: server.url, environment: ["SMTP_TIMEOUT": "3"])
        let kills = 3
        for kill in 0..<kills {
            let run = try await program.startReady()
            try await order(40, of: program, from: kill * 40)
            let before = server.mails.count
            try await eventually("some mails") { server.mails.count >= before + 8 }
            try await run.crash()
        }
        let last = try await program.startReady()
        try await withClient(of: program) { client in
            for number in 0..<(kills * 40) { try await client.mail("e\(number)", becomes: .sent, within: .seconds(60)) }
        }
        let counts = counts(server.mails)
        #expect(counts.count == kills * 40, "no mail is lost")
        let twins = counts.values.filter { $0 > 1 }
        #expect(twins.count <= kills * MailTransport.threadCount, "\(twins.count) twins")
        #expect(try await last.stop() == 0)
    }

    @Test("a mail that the server took without a word is tried again under the same Message-ID")
    func dropped() async throws {
        let folder = try TemporaryFolder()
        let server = try await SMTPServer()
        try server.misbehave([.data: "drop"])
        let program = try await Program.email(store: "sqlite:\(folder.file("emails.sqlite"))", smtp: server.url)
        let run = try await program.startReady()
        try await order(1, of: program)
        try await eventually("a dropped mail") { !server.droppedMails.isEmpty }
        try server.misbehave([:])
        try await eventually("the mail") { !server.mails.isEmpty }
        #expect(server.mails[0].message_id == server.droppedMails[0].message_id)
        #expect(server.mails[0].raw == server.droppedMails[0].raw)
        #expect(try await run.stop() == 0)
    }

    @Test("two services on one database send each of 300 mails once")
    func twoServices() async throws {
        let mongo = try await MongoServer()
        let server = try await SMTPServer()
        let store = mongo.uri()
        let programs = [
            try await Program.email(store: store, smtp: server.url),
            try await Program.email(store: store, smtp: server.url),
        ]
        let runs = [try await programs[0].startReady(), try await programs[1].startReady()]
        // Both hear of every event, as after a relay's second try.
        async let first: Void = order(300, of: programs[0])
        async let second: Void = order(300, of: programs[1])
        _ = try await (first, second)
        try await eventually("300 mails", within: .seconds(90)) { server.mails.count >= 300 }
        try await withClient(of: programs[1]) { client in
            for number in 0..<300 { try await client.mail("e\(number)", becomes: .sent) }
        }
        #expect(counts(server.mails).count == 300 && server.mails.count == 300)
        for run in runs {
            #expect(run.output.contains("a mail was sent"), "both take their share")
            #expect(try await run.stop() == 0)
        }
        mongo.kill()
    }

    @Test("a service that stood still for longer than its lease does not send what another has sent meanwhile")
    func stoodStill() async throws {
        let mongo = try await MongoServer()
        let server = try await SMTPServer()
        try server.misbehave([.recipient: "hang"])
        let store = mongo.uri()
        // The lease is three timeouts.
        let programs = [
            try await Program.email(store: store, smtp: server.url, environment: ["SMTP_TIMEOUT": "3"]),
            try await Program.email(store: store, smtp: server.url, environment: ["SMTP_TIMEOUT": "3"]),
        ]
        let first = try await programs[0].startReady()
        try await order(1, of: programs[0])
        try await eventually("a try") { server.connectionCount == 1 }
        first.send(SIGSTOP)
        try server.misbehave([:])
        let second = try await programs[1].startReady()
        try await withClient(of: programs[1]) { client in
            _ = try await client.mail("e0", becomes: .sent, within: .seconds(60))
        }
        first.send(SIGCONT)
        try await first.waitForOutput("lease was lost to another")
        try await withClient(of: programs[0]) { client in
            // Whatever it would have sent late, it would have sent by now.
            try await client.process(event("e1"))
            try await client.mail("e1", becomes: .sent)
        }
        #expect(counts(server.mails) == ["e0": 1, "e1": 1])
        #expect(try await first.stop() == 0)
        #expect(try await second.stop() == 0)
        mongo.kill()
    }

    @Test("a database that dies and comes back in the middle loses no mail and doubles none")
    func mongoRestart() async throws {
        let mongo = try await MongoServer(syncsOnCommit: true)
        let server = try await SMTPServer()
        try server.misbehave([.linger: "50"])
        let program = try await Program.email(
            store: mongo.uri(options: "serverSelectionTimeoutMS=300"), smtp: server.url,
            environment: ["SMTP_TIMEOUT": "5"])
        let run = try await program.startReady()
        try await order(80, of: program)
        try await eventually("some mails") { server.mails.count >= 10 }
        mongo.kill()
        try await eventually("a service that is not ready") {
            try await Web.get(program.adminPort, "/readyz").status == 503
        }
        try await mongo.start()
        try await withClient(of: program) { client in
            try await eventually("all sent", within: .seconds(90)) {
                guard let last = try? await client.mail("e79"), last.status == .sent else { return false }
                return server.mails.count >= 80
            }
            for number in 0..<80 { try await client.mail("e\(number)", becomes: .sent, within: .seconds(60)) }
        }
        #expect(counts(server.mails).count == 80 && server.mails.count == 80)
        #expect(try await run.stop() == 0)
        mongo.kill()
    }

    @Test("whoever is asked to stop ends the mails in flight and leaves the others")
    func gracefulStop() async throws {
        let folder = try TemporaryFolder()
        let server = try await SMTPServer()
        try server.misbehave([.linger: "300"])
        let program = try await Program.email(store: "sqlite:\(folder.file("emails.sqlite"))", smtp: server.url)
        let first = try await program.startReady()
        try await order(20, of: program)
        try await eventually("mails in flight") { server.mails.count >= 2 }
        #expect(try await first.stop() == 0)
        #expect(server.mails.count < 20)
        try server.misbehave([:])
        let second = try await program.startReady()
        try await eventually("20 mails") { server.mails.count >= 20 }
        try await withClient(of: program) { client in
            for number in 0..<20 { try await client.mail("e\(number)", becomes: .sent) }
        }
        #expect(counts(server.mails).count == 20 && server.mails.count == 20)
        #expect(try await second.stop() == 0)
    }

    @Test("a mail server that hangs does not keep the service from stopping")
    func hangingStop() async throws {
        let folder = try TemporaryFolder()
        let server = try await SMTPServer()
        try server.misbehave([.recipient: "hang"])
        let program = try await Program.email(
            store: "sqlite:\(folder.file("emails.sqlite"))", smtp: server.url, ["--drain_timeout=2"])
        let run = try await program.startReady()
        try await order(4, of: program)
        try await eventually("connections") { server.connectionCount >= 4 }
        #expect(try await run.stop(within: .seconds(8)) == 0)
    }
}
