import Foundation
import NIOCore
import TestSupport
import Testing

@testable import EmailService

/// The SMTP client against a real server that Python runs.
@Suite("Talking SMTP", .timeLimit(.minutes(10)))
struct SMTPTests {
    /// Sends through a transport of its own; one conversation after the other.
    private func send(_ settings: SMTPSettings, _ messages: [MailMessage]) async throws -> [SMTPOutcome] {
        let transport = MailTransport(settings, logger: silent)
        try transport.start()
        var outcomes: [SMTPOutcome] = []
        for message in messages {
            outcomes.append(await transport.send(message, contentEnd: .now() + .seconds(60)))
        }
        await transport.shutdown()
        return outcomes
    }

    private func send(_ settings: SMTPSettings, _ message: MailMessage) async throws -> SMTPOutcome {
        try await send(settings, [message])[0]
    }

    @Test("a mail arrives as a reader expects it")
    func arrives() async throws {
        let server = try await SMTPServer()
        #expect(try await send(server.settings(), message()) == .sent)
        let mail = try #require(server.mails.first)
        #expect(server.mails.count == 1)
        #expect(mail.subject == "Welcome to Shippy, Ewan")
        #expect(mail.to == "ewan@example.com" && mail.recipients == ["ewan@example.com"])
        #expect(mail.from == "Shippy <no-reply@shippy.local>" && mail.sender == "no-reply@shippy.local")
        #expect(mail.message_id == "<event-1@shippy.local>")
        #expect(mail.date == "Sat, 31 Jan 2026 09:05:00 +0000")
        #expect(
            mail.headers == [
                "auto-submitted", "content-type", "date", "from", "message-id", "mime-version", "subject", "to",
            ])
        #expect(mail.text.hasPrefix("Hello Ewan,\n\nwelcome to Shippy. Your account for BBC is ready."))
        #expect(mail.html.contains("<p>Hello Ewan,</p>"))
        #expect(mail.defects.isEmpty && mail.is_ascii && mail.longest_line <= 78)
    }

    @Test(
        "names of every kind arrive whole and can't break out",
        arguments: [
            "Jörg Müller", "李小龍", "🚢🚢🚢", "👩‍👩‍👧‍👦 family", "..", ". leading dot", "=?UTF-8?Q?x?=", "a=b",
            "\"quoted\" <a@b.c>",
            "Ewan, Bcc: d@e.f", "e\u{301}e\u{301}", " spaces  ",
        ])
    func names(name: String) async throws {
        let server = try await SMTPServer()
        #expect(try await send(server.settings(), message(name: name, company: name)) == .sent)
        let mail = try #require(server.mails.first)
        #expect(Array(mail.subject.utf8) == Array("Welcome to Shippy, \(name)".utf8))
        #expect(Array(mail.text.utf8).starts(with: Array("Hello \(name),\n".utf8)))
        #expect(mail.headers.count == 8 && mail.defects.isEmpty && mail.is_ascii && mail.longest_line <= 78)
    }

    @Test("what looks like HTML or a header in a name is text, and long names are cut")
    func injection() async throws {
        let server = try await SMTPServer()
        let markup = "<img src=x onerror=\"a('&')\">"
        // Past the rules, as an older program may have stored it.
        let breakout = "Ewan\r\nBcc: d@e.f\r\n\r\n<b>"
        let long = String(repeating: "ö", count: 900)
        let outcomes = try await send(
            server.settings(), [message(name: markup, company: markup), message(name: breakout), message(name: long)])
        #expect(outcomes == [.sent, .sent, .sent])
        let mails = server.mails
        #expect(mails[0].html.contains("&lt;img src=x onerror=&quot;a(&#39;&amp;&#39;)&quot;&gt;"))
        #expect(!mails[0].html.contains("<img"))
        #expect(mails[0].text.contains(markup))
        #expect(mails[1].headers.count == 8 && mails[1].recipients == ["ewan@example.com"])
        #expect(mails[1].subject == "Welcome to Shippy, EwanBcc: d@e.f<b>")
        #expect(mails[2].subject == "Welcome to Shippy, " + String(repeating: "ö", count: 60) + "…")
        #expect(mails[2].longest_line <= 78)
    }

    @Test("an address beyond ASCII goes to a server that takes such")
    func internationalAddress() async throws {
        let server = try await SMTPServer()
        #expect(try await send(server.settings(), message(to: "jörg@example.com")) == .sent)
        #expect(server.mails.first?.recipients == ["jörg@example.com"])
    }

    @Test("a connection serves many mails, and one that the server closed meanwhile costs no try")
    func reuse() async throws {
        let server = try await SMTPServer()
        let transport = MailTransport(try server.settings(), logger: silent)
        try transport.start()
        // One more than there are threads for sure meets a thread again.
        for _ in 0..<12 {
            #expect(await transport.send(try message(), contentEnd: .now() + .seconds(60)) == .sent)
        }
        #expect(server.connectionCount <= MailTransport.threadCount)
        server.kill()
        try await server.start()
        for _ in 0..<8 {
            #expect(await transport.send(try message(), contentEnd: .now() + .seconds(60)) == .sent)
        }
        // As servers say to connections that were idle for too long.
        try server.misbehave([.again: "421 4.4.2 idle"])
        for _ in 0..<8 {
            #expect(await transport.send(try message(), contentEnd: .now() + .seconds(60)) == .sent)
        }
        await transport.shutdown()
        #expect(server.mails.count == 28)
    }

    @Test("refusals are told apart by code and stage")
    func refusals() async throws {
        let server = try await SMTPServer()
        let cases: [(SMTPServer.Step, String, SMTPOutcome)] = [
            (
                .recipient, "550 5.1.1 no such user",
                .refused("naming the recipient: the server answered 550 5.1.1 no such user")
            ),
            // Logs and the store have more readers than mails.
            (
                .recipient, "550 <ewan@example.com> no",
                .refused("naming the recipient: the server answered 550 <…> no")
            ),
            (
                .data, "550 5.7.1 Ewan@EXAMPLE.com, or ewan@example.com",
                .refused("handing over the mail: the server answered 550 5.7.1 …, or …")
            ),
            (.recipient, "450 4.2.0 later", .postponed("naming the recipient: the server answered 450 4.2.0 later")),
            (.data, "554 5.7.1 spam", .refused("handing over the mail: the server answered 554 5.7.1 spam")),
            (.data, "451 4.3.0 busy", .postponed("handing over the mail: the server answered 451 4.3.0 busy")),
            (.data, "421 4.3.2 going", .serverFault("handing over the mail: the server answered 421 4.3.2 going")),
            (
                .sender, "550 5.7.1 not you",
                .misconfigured("naming the sender: the server answered 550 5.7.1 not you")
            ),
            (.greeting, "554 go away", .misconfigured("connecting: the server answered 554 go away")),
            (.greeting, "421 full", .serverFault("connecting: the server answered 421 full")),
        ]
        for (step, reply, expected) in cases {
            try server.misbehave([step: reply])
            let outcome = try await send(server.settings(), message())
            #expect(outcome == expected)
        }
        #expect(server.mails.isEmpty)
        try server.misbehave([:])
        #expect(try await send(server.settings(), message()) == .sent)
    }

    @Test(
        "a server that hangs is given up after the timeout",
        arguments: [SMTPServer.Step.greeting, .sender, .recipient, .data])
    func hangs(step: SMTPServer.Step) async throws {
        let server = try await SMTPServer()
        try server.misbehave([step: "hang"])
        let start = ContinuousClock.now
        let outcome = try await send(server.settings(timeout: .seconds(1)), message())
        #expect(ContinuousClock.now - start < .seconds(20))
        // Once it has the mail's bytes, it is the mail that waits.
        if case .postponed = outcome {
            #expect(step == .data)
        } else if case .serverFault = outcome {
            #expect(step != .data)
        } else {
            Issue.record("\(outcome)")
        }
    }

    @Test("a server that is not there, or hangs up without a word")
    func gone() async throws {
        let server = try await SMTPServer()
        try server.misbehave([.data: "drop"])
        guard case .postponed = try await send(server.settings(), message()) else {
            Issue.record("a mail without an answer may have arrived")
            return
        }
        #expect(server.droppedMails.count == 1)
        server.kill()
        guard case .serverFault(let reason) = try await send(server.settings(), message()) else {
            Issue.record("a server that is not there is not the mail's fault")
            return
        }
        #expect(reason.hasPrefix("connecting: "))
    }

    @Test("a mail whose time is over when the server wants it is not handed over")
    func late() async throws {
        let server = try await SMTPServer()
        try server.misbehave([.recipient: "hang"])
        let transport = MailTransport(try server.settings(timeout: .seconds(30)), logger: silent)
        try transport.start()
        let contentEnd = NIODeadline.now() + .seconds(2)
        let letter = try message()
        let sending = Task { await transport.send(letter, contentEnd: contentEnd) }
        #expect(await eventually { server.connectionCount == 1 })
        #expect(await eventually { NIODeadline.now() > contentEnd })
        try server.misbehave([:])
        let outcome = await sending.value
        await transport.shutdown()
        #expect(outcome == .serverFault("the time for this try was over before the mail was handed over"))
        #expect(server.mails.isEmpty)
    }

    @Test("whoever stops need not wait for a server that hangs")
    func abandons() async throws {
        let server = try await SMTPServer()
        try server.misbehave([.recipient: "hang"])
        let transport = MailTransport(try server.settings(timeout: .seconds(60)), logger: silent)
        try transport.start()
        let first = try message()
        let sending = Task { await transport.send(first, contentEnd: .now() + .seconds(60)) }
        #expect(await eventually { server.connectionCount == 1 })
        let start = ContinuousClock.now
        transport.abandon()
        guard case .serverFault = await sending.value else {
            Issue.record("nothing was handed over")
            return
        }
        await transport.shutdown()
        #expect(ContinuousClock.now - start < .seconds(5))
    }
}
