import Contracts
import Foundation
import RPC
import SQLiteStorage
import TestSupport
import Testing

@testable import EmailService

/// How long a mail is tried.
@Suite("Old mails", .timeLimit(.minutes(10)))
struct LifetimeTests {
    /// Stores mails that were ordered so long ago, as a program that was away leaves them.
    private func store(_ ids: [String], age: Duration, at path: String) async throws {
        let emails = try EmailStore(address: "sqlite:\(path)", logger: silent)
        try emails.store.start()
        let store = try #require(emails.store as? SQLiteStore)
        for id in ids { _ = try await emails.repository.store(newMail(id), deadline: soon) }
        let list = ids.map { "'\($0)'" }.joined(separator: ", ")
        try await store.write(deadline: soon) {
            try $0.execute(
                """
                UPDATE emails SET created_at = created_at - \(age.components.seconds * 1_000) WHERE event_id IN (\(list))
                """)
        }
        await emails.store.shutdown()
    }

    @Test("a mail that the server postpones is given up after its lifetime, and a younger one is not")
    func givesUp() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("emails.sqlite")
        try await store(["old"], age: MailDelivery.lifetime + .seconds(60), at: path)
        try await store(["young"], age: MailDelivery.lifetime - .seconds(600), at: path)
        let server = try await SMTPServer()
        try server.misbehave([.recipient: "450 4.2.1 full"])
        let program = try await Program.email(store: "sqlite:\(path)", smtp: server.url)
        let run = try await program.startReady()
        try await withClient(of: program) { client in
            #expect(try await client.mail("old", becomes: .failed).lastError.contains("450 4.2.1 full"))
            try await eventually("a try") { try await client.mail("young").attempts > 0 }
            #expect(try await client.mail("young").status == .pending)
        }
        #expect(try await run.stop() == 0)
    }

    @Test("an old mail is sent when the server takes it at last, and settings that are wrong never end it")
    func waits() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("emails.sqlite")
        try await store(["old"], age: MailDelivery.lifetime * 2, at: path)
        let server = try await SMTPServer()
        try server.misbehave([.sender: "550 5.7.1 not from you"])
        let program = try await Program.email(store: "sqlite:\(path)", smtp: server.url)
        let run = try await program.startReady()
        try await withClient(of: program) { client in
            try await eventually("tries") { try await client.mail("old").attempts >= 2 }
            #expect(try await client.mail("old").status == .pending)
            try server.misbehave([:])
            try await client.mail("old", becomes: .sent)
        }
        #expect(try await run.stop() == 0)
    }
}
