import Foundation
import NIOCore
import RPC
import TestSupport
import Testing

@testable import EmailService

/// Passwords and mails go only where they should, against real servers with TLS and login.
@Suite("Encryption and login", .timeLimit(.minutes(10)))
struct EncryptionTests {
    private static let password = "hunter2 @:/ö"
    private static let encodedPassword = "hunter2%20%40%3A%2F%C3%B6"

    private func send(_ settings: SMTPSettings) async throws -> SMTPOutcome {
        let transport = MailTransport(settings, logger: silent)
        try transport.start()
        let outcome = await transport.send(try message(), contentEnd: .now() + .seconds(30))
        await transport.shutdown()
        return outcome
    }

    private func isMisconfigured(_ outcome: SMTPOutcome, _ words: String) -> Bool {
        guard case .misconfigured(let reason) = outcome else { return false }
        return reason.contains(words) && !reason.contains("hunter2")
    }

    @Test("with a trusted certificate and the right login mails arrive, encrypted", arguments: ["smtp", "smtps"])
    func encrypted(scheme: String) async throws {
        let server = try await SMTPServer(scheme == "smtp" ? .starttls : .implicit, login: "ewan:\(Self.password)")
        for host in ["localhost", "127.0.0.1"] {
            let url = "\(scheme)://ewan:\(Self.encodedPassword)@\(host):\(server.port)"
            #expect(try await send(server.settings(url, trusts: true)) == .sent)
        }
        #expect(server.mails.map(\.isEncryptedFor) == ["ewan", "ewan"])
    }

    @Test("a certificate that no CA verifies gets neither password nor mail", arguments: ["smtp", "smtps"])
    func untrusted(scheme: String) async throws {
        let server = try await SMTPServer(scheme == "smtp" ? .starttls : .implicit, login: "ewan:pw")
        for host in ["ewan:pw@localhost", "localhost"] {
            let outcome = try await send(server.settings("\(scheme)://\(host):\(server.port)"))
            #expect(isMisconfigured(outcome, "certificate"), "\(outcome)")
        }
        #expect(server.loginCount == 0 && server.mails.isEmpty)
    }

    @Test("where STARTTLS is required and not offered, neither password nor mail goes out")
    func stripped() async throws {
        let server = try await SMTPServer(login: "ewan:pw")
        let outcome = try await send(
            server.settings("smtp://ewan:pw@127.0.0.1:\(server.port)?starttls=required"))
        #expect(isMisconfigured(outcome, "STARTTLS"), "\(outcome)")
        #expect(server.loginCount == 0 && server.mails.isEmpty)
    }

    @Test("offered STARTTLS is used, and never means never")
    func wishes() async throws {
        let server = try await SMTPServer(.starttls)
        #expect(try await send(server.settings(trusts: true)) == .sent)
        #expect(try await send(server.settings("\(server.url)?starttls=never")) == .sent)
        #expect(server.mails.map(\.is_encrypted) == [true, false])
    }

    @Test("a wrong password is our mistake and not the mail's, and is not shown")
    func wrongPassword() async throws {
        let server = try await SMTPServer(login: "ewan:right")
        let outcome = try await send(server.settings("smtp://ewan:hunter2@127.0.0.1:\(server.port)"))
        #expect(isMisconfigured(outcome, "logging in: the server answered 535"), "\(outcome)")
        try server.misbehave([.login: "454 4.7.0 later"])
        let later = try await send(server.settings("smtp://ewan:right@127.0.0.1:\(server.port)"))
        #expect(later == .serverFault("logging in: the server answered 454"))
        let none = try await send(server.settings())
        #expect(isMisconfigured(none, "530"), "\(none)")
        #expect(server.mails.isEmpty)
    }

    @Test("a server that repeats the password in a reply does not bring it into an error")
    func indiscreet() async throws {
        let server = try await SMTPServer(login: "ewan:hunter2")
        try server.misbehave([.recipient: "450 hunter2 aHVudGVyMg== is your password"])
        let outcome = try await send(server.settings("smtp://ewan:hunter2@127.0.0.1:\(server.port)"))
        #expect(outcome == .postponed("naming the recipient: the server answered 450 … … is your password"))
    }

    @Test("a certificate for another name is not taken")
    func otherName() async throws {
        let server = try await SMTPServer(.implicit, login: "ewan:pw", name: "other.test")
        let outcome = try await send(server.settings("smtps://ewan:pw@localhost:\(server.port)", trusts: true))
        #expect(isMisconfigured(outcome, "localhost"), "\(outcome)")
        #expect(server.loginCount == 0 && server.mails.isEmpty)
    }
}

extension ReceivedMail {
    /// Who sent it over an encrypted connection.
    fileprivate var isEncryptedFor: String { is_encrypted ? user : "nobody" }
}
