import Contracts
import Foundation
import LeasedQueue
import Logging
import RPC
import TestSupport
import Testing

@testable import EmailService

/// The stores that every repository test runs against.
enum StoreKind: String, CaseIterable, CustomTestStringConvertible {
    case sqlite
    case mongo

    var testDescription: String { rawValue }
}

let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Lends an empty store of a kind.
func withEmails(_ kind: StoreKind, _ body: (EmailStore) async throws -> Void) async throws {
    let folder = try TemporaryFolder()
    let address =
        switch kind {
        case .sqlite: "sqlite:\(folder.file("emails.sqlite"))"
        case .mongo: try await MongoServer.shared.value.uri()
        }
    let emails = try EmailStore(address: address, threads: 4, logger: silent)
    try emails.store.start()
    #expect(await eventually(within: .seconds(30)) { emails.store.isReady }, "\(emails.store.lastError ?? "")")
    do { try await body(emails) } catch {
        await emails.store.shutdown()
        throw error
    }
    await emails.store.shutdown()
}

extension EmailRepository {
    /// Claims the mail that has been due for longest.
    func take(lease: Duration = .seconds(60)) async throws -> LeasedItem<StoredMail>? {
        try await claim(limit: 1, lease: lease, deadline: soon).first
    }
}

func newMail(_ eventID: String, to recipient: String = "ewan@example.com", name: String = "Ewan") -> NewMail {
    NewMail(
        eventID: eventID, userID: "user-\(eventID)", recipient: recipient, name: name, company: "BBC",
        subject: "Welcome to Shippy, \(name)")
}

func event(_ id: String, to email: String = "ewan@example.com", name: String = "Ewan", company: String = "BBC")
    -> Email_UserCreated
{
    .with {
        $0.eventID = id
        $0.userID = "user-\(id)"
        $0.email = email
        $0.name = name
        $0.company = company
    }
}

func message(
    _ eventID: String = "event-1", from: String = "Shippy <no-reply@shippy.local>",
    to recipient: String = "ewan@example.com", name: String = "Ewan", company: String = "BBC"
) throws -> MailMessage {
    let content = WelcomeMail(name: name, company: company)
    return MailMessage(
        eventID: eventID, from: try #require(Mailbox(from)),
        to: Mailbox(name: "", address: try #require(MailAddress(recipient))), subject: content.subject,
        content: content, date: WallTime(milliseconds: 1_769_850_300_042))
}

func context() -> RequestContext {
    RequestContext(path: EmailMethods.process.path, deadline: .after(.seconds(30)), peer: "test")
}

/// The status that `body` fails with; `ok` when it does not.
func status(of body: () async throws -> some Any) async -> Status {
    do {
        _ = try await body()
        return .ok
    } catch { return Status(error) }
}

extension SMTPServer {
    var url: String { "smtp://127.0.0.1:\(port)" }

    func settings(_ text: String? = nil, timeout: Duration = .seconds(10), trusts: Bool = false) throws -> SMTPSettings
    {
        var settings = try SMTPSettings(address: SMTPAddress(text ?? url), timeout: timeout)
        if trusts { settings.authorities = authority }
        return settings
    }
}

/// Runs `body` with a client of an email service, which is closed afterwards.
func withClient<Result>(of program: Program, _ body: (RPCClient) async throws -> Result) async throws -> Result {
    var configuration = RPCClient.Configuration(target: HostPort(host: "127.0.0.1", port: program.port))
    configuration.connectWait = .seconds(15)
    let client = RPCClient(configuration: configuration, group: .singleton, logger: silent)
    do {
        let result = try await body(client)
        await client.shutdown()
        return result
    } catch {
        await client.shutdown()
        throw error
    }
}

extension RPCClient {
    @discardableResult
    func process(_ event: Email_UserCreated) async throws -> Email_Email {
        try await call(EmailMethods.process, event, deadline: .after(.seconds(20))).email
    }

    func mail(_ eventID: String) async throws -> Email_Email {
        try await call(EmailMethods.get, .with { $0.eventID = eventID }, deadline: .after(.seconds(20))).email
    }

    /// Waits until a mail has a status.
    @discardableResult
    func mail(
        _ eventID: String, becomes status: Email_Status, within limit: Duration = .seconds(30)
    ) async throws -> Email_Email {
        var mail = Email_Email()
        try await eventually("\(status) of \(eventID), which is \(mail)", within: limit) {
            mail = try await self.mail(eventID)
            return mail.status == status
        }
        return mail
    }
}

/// The deadline of a call that nothing holds up.
var soon: Deadline { .after(.seconds(20)) }
