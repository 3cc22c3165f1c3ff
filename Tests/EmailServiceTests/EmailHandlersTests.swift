import Contracts
import RPC
import Storage
import Synchronization
import Testing

@testable import EmailService

@Suite("The email service's rules", .timeLimit(.minutes(10)))
struct EmailHandlersTests {
    private final class Orders: Sendable {
        let ids = Mutex<[String]>([])
    }

    private func withHandlers(_ body: (EmailHandlers, Orders) async throws -> Void) async throws {
        try await withEmails(.sqlite) { emails in
            let orders = Orders()
            let handlers = EmailHandlers(repository: emails.repository) { mail in
                orders.ids.withLock { $0.append(mail.eventID) }
            }
            try await body(handlers, orders)
        }
    }

    @Test("an event is stored as a pending mail, once however often it comes, and Get answers it")
    func process() async throws {
        try await withHandlers { handlers, orders in
            let first = try await handlers.process(event("e1"), context())
            #expect(first.email.eventID == "e1" && first.email.to == "ewan@example.com")
            #expect(first.email.status == .pending && first.email.subject == "Welcome to Shippy, Ewan")
            #expect(try await handlers.process(event("e1"), context()) == first)
            #expect(try await handlers.process(event("e1", name: "Other"), context()) == first)
            #expect(orders.ids.withLock { $0 } == ["e1"])
            #expect(try await handlers.get(.with { $0.eventID = "e1" }, context()) == first)
        }
    }

    @Test("a mail that nobody ordered is NOT_FOUND, and no id is INVALID_ARGUMENT")
    func get() async throws {
        try await withHandlers { handlers, _ in
            let unknown = await status { try await handlers.get(.with { $0.eventID = "none" }, context()) }
            #expect(unknown.code == .notFound)
            let empty = await status { try await handlers.get(.init(), context()) }
            #expect(empty.code == .invalidArgument)
        }
    }

    @Test("events that break a rule are refused, nothing is stored, and the text names the field")
    func validation() async throws {
        try await withHandlers { handlers, orders in
            let long = String(repeating: "x", count: 1_001)
            let wrong: [(Email_UserCreated, String)] = [
                (event(""), "event_id"), (event("a\nb"), "event_id"),
                (event(String(repeating: "e", count: 201)), "event_id"), (event("e", to: ""), "email"),
                (event("e", to: "nobody"), "email"), (event("e", to: "a@b.c\r\nBcc: d@e.f"), "email"),
                (event("e", to: "a@b.c>,<d@e.f"), "email"), (event("e", name: "Ewan\r\nBcc: d@e.f"), "name"),
                (event("e", name: "Ewan\0"), "name"), (event("e", name: long), "name"),
                (event("e", company: "B\nC"), "company"), (event("e", company: long), "company"),
                (
                    .with {
                        $0.eventID = "e"; $0.email = "a@b.c"; $0.userID = "u\r"
                    }, "user_id"
                ),
            ]
            for (event, field) in wrong {
                let refused = await status { try await handlers.process(event, context()) }
                #expect(refused.code == .invalidArgument)
                #expect(refused.message.hasPrefix(field), "\(refused)")
            }
            #expect(orders.ids.withLock { $0 }.isEmpty)
            let bare = Email_UserCreated.with {
                $0.eventID = "bare"; $0.email = "a@b.c"
            }
            let answer = try await handlers.process(bare, context())
            #expect(answer.email.subject == "Welcome to Shippy")
        }
    }

    @Test("the service offers Process and Get")
    func routes() async throws {
        try await withHandlers { handlers, _ in
            let paths = handlers.routes().map(\.path)
            #expect(paths == ["/email.EmailService/Process", "/email.EmailService/Get"])
        }
    }

    @Test("addresses of stores are told apart, and bad ones are refused")
    func addresses() throws {
        #expect(try EmailStore(address: nil, logger: silent).description == "MongoDB, localhost:27017/shippy")
        #expect(try EmailStore(address: "sqlite:/tmp/x", logger: silent).description == "SQLite, /tmp/x")
        for bad in ["sqlite:", "mongo:port", "mongodb://"] {
            let error = #expect(throws: StorageError.self) { try EmailStore(address: bad, logger: silent) }
            #expect(error?.kind == .configuration)
        }
    }
}
