import Foundation
import TestSupport
import Testing

/// Who signed up gets one welcome mail: not none, whatever fails on the way, and not two.
@Suite("The welcome mail", .serialized, .timeLimit(.minutes(10)))
struct MailTests {
    /// User service, email service and mail server.
    private struct Post {
        let folder: TemporaryFolder
        let smtp: SMTPServer
        var email: Program
        var user: Program

        init(_ folder: TemporaryFolder, userStore: String? = nil, emailStore: String? = nil) async throws {
            self.folder = folder
            smtp = try await SMTPServer()
            email = try Program.service(
                "email", store: emailStore ?? "sqlite:" + folder.file("email.db"),
                environment: ["SMTP_URL": "smtp://127.0.0.1:\(smtp.port)", "SMTP_TIMEOUT": "4"])
            user = try Program.service(
                "user", store: userStore ?? "sqlite:" + folder.file("user.db"), calls: ["email": email],
                environment: ["JWT_SECRET": Harbor.jwtSecret])
        }

        /// The addresses that got a mail, each once for each mail; twins are told by their Message-ID.
        var recipients: [String] { smtp.mails.flatMap(\.recipients).sorted() }

        func eventuallyDelivered(_ addresses: [String], within limit: Duration = .seconds(100)) async throws {
            try await eventually("the mails, \(recipients.count) of \(addresses.count)", within: limit) {
                Set(recipients).isSuperset(of: addresses)
            }
            #expect(recipients == addresses.sorted())
        }
    }

    /// Signs people up at a user service, a few at a time: of more, beside programs that never rest, some would not be
    /// hashed within the gateway's 5 s, and mails are what this is about.
    ///
    /// - Parameter mayFail: whether the test breaks something that sign-ups need.
    /// - Returns: the addresses that were acknowledged.
    private func signUp(
        _ count: Int, at user: Program, prefix: String = "person", mayFail: Bool = false
    ) async throws -> [String] {
        let gateway = try Program.gateway(to: ["user": user])
        let run = try await gateway.start()
        let caller = Caller(port: gateway.port)
        let signedUp = try await withThrowingTaskGroup(of: [String].self) { tasks in
            let lanes = 4
            for lane in 0..<lanes {
                tasks.addTask {
                    var signedUp: [String] = []
                    for index in stride(from: lane, to: count, by: lanes) {
                        let address = "\(prefix)\(index)@example.com"
                        // Who is not answered well has no right to a mail, nor a duty to have none.
                        let answer = try await caller.signUp(address)
                        if answer.status == 200 { signedUp.append(address) }
                        #expect(mayFail || answer.status == 200, "\(address): \(answer.body)")
                    }
                    return signedUp
                }
            }
            return try await tasks.reduce(into: []) { $0 += $1 }
        }
        _ = try await run.stop()
        return signedUp
    }

    /// Tries of an email service that came to nothing.
    private func retries(of email: Program) async throws -> Int {
        let metrics = try await Web.get(email.adminPort, "/metrics").body
        let line = metrics.split(separator: "\n").first { $0.hasPrefix("email_retries_total ") }
        return line.flatMap { $0.split(separator: " ").last }.flatMap { Int($0) } ?? 0
    }

    @Test("it comes, to the person, in their name, and a repeat of the sign-up brings no second")
    func arrives() async throws {
        let post = try await Post(try TemporaryFolder())
        let email = try await post.email.startReady()
        let user = try await post.user.startReady()
        let addresses = try await signUp(3, at: post.user)
        #expect(addresses.count == 3)
        try await post.eventuallyDelivered(addresses)
        let mail = try #require(post.smtp.mails.first)
        #expect(mail.text.contains("Ewan") && mail.html.contains("Ewan"))
        #expect(mail.defects.isEmpty)
        #expect(try await user.stop() == 0)
        #expect(try await email.stop() == 0)
    }

    @Test("sign-ups go on while the email service is away, and the mails come when it is back")
    func emailServiceAway() async throws {
        let post = try await Post(try TemporaryFolder())
        let user = try await post.user.startReady()
        let addresses = try await signUp(5, at: post.user)
        #expect(addresses.count == 5)
        let email = try await post.email.startReady()
        try await post.eventuallyDelivered(addresses)
        #expect(try await user.stop() == 0)
        #expect(try await email.stop() == 0)
    }

    @Test("a user service that is killed between storing a user and telling of them tells afterwards")
    func userServiceKilled() async throws {
        let post = try await Post(try TemporaryFolder())
        var user = try await post.user.startReady()
        let addresses = try await signUp(4, at: post.user)
        try await user.crash()
        let email = try await post.email.startReady()
        #expect(post.recipients.isEmpty)
        user = try await post.user.startReady()
        try await post.eventuallyDelivered(addresses)
        #expect(try await user.stop() == 0)
        #expect(try await email.stop() == 0)
    }

    @Test(
        "an email service that is killed again and again loses no mail, and sends twins only of what it was killed at")
    func emailServiceKilled() async throws {
        let post = try await Post(try TemporaryFolder())
        // Yes is said late, so that the service is often killed between a mail's data and the server's yes.
        try post.smtp.misbehave([.linger: "30"])
        let user = try await post.user.startReady()
        var email = try await post.email.startReady()
        let signingUp = Task { try await signUp(60, at: post.user) }
        let kills = 4
        for _ in 0..<kills {
            let before = post.smtp.mails.count
            try await eventually("more mails", within: .seconds(100)) { post.smtp.mails.count >= before + 3 }
            try await email.crash()
            email = try await post.email.startReady()
        }
        let addresses = try await signingUp.value
        #expect(addresses.count == 60)
        try await eventually("all mails", within: .seconds(150)) {
            Set(post.recipients).isSuperset(of: addresses)
        }
        // A mail server knows a twin by its Message-ID.
        let mails = post.smtp.mails
        #expect(Set(mails.map(\.message_id)).count == addresses.count)
        #expect(Set(mails.map { "\($0.message_id) \($0.recipients)" }).count == addresses.count)
        #expect(try await user.stop() == 0)
        #expect(try await email.stop() == 0)
    }

    @Test("a mail server that refuses for now, hangs or hangs up gets the mail until it takes it")
    func mailServerMoody() async throws {
        let post = try await Post(try TemporaryFolder())
        let user = try await post.user.startReady()
        let email = try await post.email.startReady()
        var addresses: [String] = []
        for (name, mood) in [
            ("busy", [.recipient: "451 come back later"]), ("full", [.data: "452 no room"]),
            ("hanging", [.data: "hang"]),
        ] as [(String, [SMTPServer.Step: String])] {
            try post.smtp.misbehave(mood)
            let before = try await retries(of: post.email)
            addresses += try await signUp(2, at: post.user, prefix: name)
            try await eventually("a try", within: .seconds(60)) { try await retries(of: post.email) > before }
            try post.smtp.misbehave([:])
            try await post.eventuallyDelivered(addresses)
        }
        #expect(try await user.stop() == 0)
        #expect(try await email.stop() == 0)
    }

    @Test("a mail that the server will never take is given up, others go on, and the reason is in the mail's state")
    func refusedForGood() async throws {
        let post = try await Post(try TemporaryFolder())
        let user = try await post.user.startReady()
        let email = try await post.email.startReady()
        try post.smtp.misbehave([.recipient: "550 no such user here"])
        #expect(try await signUp(1, at: post.user, prefix: "refused").count == 1)
        try await eventually("the failure", within: .seconds(60)) {
            try await Web.get(post.email.adminPort, "/metrics").body.contains("email_failed_total 1")
        }
        try post.smtp.misbehave([:])
        try await post.eventuallyDelivered(try await signUp(1, at: post.user, prefix: "taken"))
        #expect(try await user.stop() == 0)
        #expect(try await email.stop() == 0)
    }

    @Test("a PostgreSQL that is killed and comes back under load costs no acknowledged sign-up its user or its mail")
    func postgresRestarted() async throws {
        let postgres = try await PostgresServer()
        let mongo = try await MongoServer.shared.value
        let post = try await Post(
            try TemporaryFolder(), userStore: try await postgres.database(), emailStore: mongo.uri())
        let user = try await post.user.startReady()
        let email = try await post.email.startReady()
        let signingUp = Task { try await signUp(120, at: post.user, mayFail: true) }
        for _ in 0..<2 {
            let before = post.smtp.mails.count
            try await eventually("more mails", within: .seconds(100)) { post.smtp.mails.count >= before + 5 }
            try await postgres.kill()
            try await postgres.start()
        }
        let addresses = try await signingUp.value
        try await eventually("all mails", within: .seconds(150)) { Set(post.recipients).isSuperset(of: addresses) }
        // Some got no answer and are stored all the same: they may have a mail, but not two.
        #expect(Set(post.recipients).count == post.recipients.count)
        #expect(try await user.stop() == 0)
        #expect(try await email.stop() == 0)
    }

    @Test("a thousand sign-ups at two user services bring a thousand mails by two email services")
    func thousand() async throws {
        let postgres = try await PostgresServer.shared.value
        let mongo = try await MongoServer.shared.value
        let (users, emails) = (try await postgres.database(), mongo.uri())
        let post = try await Post(try TemporaryFolder(), userStore: users, emailStore: emails)
        let otherEmail = try Program.service("email", store: emails, environment: post.email.environment)
        let otherUser = try Program.service(
            "user", store: users, calls: ["email": otherEmail], environment: ["JWT_SECRET": Harbor.jwtSecret])
        let programs = [post.email, otherEmail, post.user, otherUser]
        // Together, so that they also meet at the schema.
        let runs = try await withThrowingTaskGroup(of: ProcessRun.self) { tasks in
            for program in programs { tasks.addTask { try await program.startReady() } }
            return try await tasks.reduce(into: []) { $0.append($1) }
        }
        async let first = signUp(500, at: post.user, prefix: "first")
        async let second = signUp(500, at: otherUser, prefix: "second")
        let addresses = try await first + second
        #expect(addresses.count == 1_000)
        try await post.eventuallyDelivered(addresses, within: .seconds(200))
        for run in runs {
            let status = try await run.stop()
            #expect(status == 0)
        }
    }
}
