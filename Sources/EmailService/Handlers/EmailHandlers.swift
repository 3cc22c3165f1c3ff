import Contracts
import RPC

/// The rules of `email.EmailService`.
struct EmailHandlers: Sendable {
    /// Ids are keys of an index, so they are bounded. Octets.
    static let idLengthMax = 200
    /// Octets of a name or a company: more than 200 characters of any script take.
    static let nameLengthMax = 1_000

    let repository: any EmailRepository
    /// Told of each mail that was stored, once; must not wait.
    let stored: @Sendable (StoredMail) -> Void

    /// Stores the mail of a `user.created` event and answers; to send it is others' work.
    func process(_ event: Email_UserCreated, _ context: RequestContext) async throws -> Email_Response {
        var mail = try Self.mail(for: event)
        mail.trace = context.trace
        let (stored, isNew) = try await repository.store(mail, deadline: context.deadline)
        if isNew { self.stored(stored) }
        return Self.response(stored)
    }

    func get(_ request: Email_GetRequest, _ context: RequestContext) async throws -> Email_Response {
        try Self.checkID(request.eventID, "event_id")
        let mail = try await repository.mail(eventID: request.eventID, deadline: context.deadline)
        guard let mail else { throw EmailError.unknownEvent }
        return Self.response(mail)
    }

    /// What the service's server offers.
    func routes() -> [RPCRoute] {
        [RPCRoute(EmailMethods.process, handler: process), RPCRoute(EmailMethods.get, handler: get)]
    }

    private static func mail(for event: Email_UserCreated) throws(EmailError) -> NewMail {
        try checkID(event.eventID, "event_id")
        if !event.userID.isEmpty { try checkID(event.userID, "user_id") }
        guard MailAddress(event.email) != nil else { throw .invalid("email", "email must be an address") }
        try checkName(event.name, "name")
        try checkName(event.company, "company")
        return NewMail(
            eventID: event.eventID, userID: event.userID, recipient: event.email, name: event.name,
            company: event.company, subject: WelcomeMail(name: event.name, company: event.company).subject)
    }

    private static func checkID(_ id: String, _ field: String) throws(EmailError) {
        guard !id.isEmpty else { throw .invalid(field, "\(field) must not be empty") }
        guard id.utf8.count <= idLengthMax else {
            throw .invalid(field, "\(field) must have at most \(idLengthMax) bytes")
        }
        guard !id.hasControls else { throw .invalid(field, "\(field) must not hold control characters") }
    }

    private static func checkName(_ name: String, _ field: String) throws(EmailError) {
        guard name.utf8.count <= nameLengthMax else {
            throw .invalid(field, "\(field) must have at most \(nameLengthMax) bytes")
        }
        guard !name.hasControls else { throw .invalid(field, "\(field) must not hold control characters") }
    }

    private static func response(_ mail: StoredMail) -> Email_Response {
        .with {
            $0.email.eventID = mail.eventID
            $0.email.to = mail.content.recipient
            $0.email.subject = mail.content.subject
            $0.email.attempts = Int32(clamping: mail.attempts)
            $0.email.lastError = mail.lastError
            $0.email.status =
                switch mail.status {
                case .pending: .pending
                case .sent: .sent
                case .failed: .failed
                }
        }
    }
}

/// The email service's errors, each with its gRPC status.
enum EmailError: StatusConvertible, Equatable {
    /// - Parameters: the path of the field, and what is wrong with it.
    case invalid(String, String)
    case unknownEvent

    var status: Status {
        switch self {
        case .invalid(let field, let reason): .invalid(field, reason)
        case .unknownEvent: Status(.notFound, "there is no mail for this event")
        }
    }
}
