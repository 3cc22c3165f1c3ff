import Contracts
import RPC
import SwiftProtobuf

/// Hands events to EmailService.Process, which knows them by their ids.
struct EventDelivery: Sendable {
    /// Answers when the mail service has stored the event.
    let process: @Sendable (Email_UserCreated, Deadline) async throws -> Void

    init(_ process: @escaping @Sendable (Email_UserCreated, Deadline) async throws -> Void) {
        self.process = process
    }

    init(to email: RPCClient) {
        self.init { event, deadline in _ = try await email.call(EmailMethods.process, event, deadline: deadline) }
    }

    /// - Throws: `Status` only.
    func deliver(_ event: UserCreatedEvent, deadline: Deadline) async throws(Status) {
        do {
            try await process(Self.message(event), deadline)
        } catch {
            throw Status(error)
        }
    }

    private static func message(_ event: UserCreatedEvent) -> Email_UserCreated {
        var message = Email_UserCreated()
        message.eventID = event.id
        message.userID = event.userID
        message.name = event.name
        message.email = event.email
        message.company = event.company
        // A Timestamp's nanoseconds count up, also before 1970.
        let (seconds, microseconds) = event.occurredAtMicroseconds.quotientAndRemainder(
            dividingBy: UserClock.microsecondsPerSecond)
        let isBefore = microseconds < 0
        message.occurredAt.seconds = isBefore ? seconds - 1 : seconds
        message.occurredAt.nanos = Int32(
            (isBefore ? microseconds + UserClock.microsecondsPerSecond : microseconds) * 1_000)
        return message
    }
}
