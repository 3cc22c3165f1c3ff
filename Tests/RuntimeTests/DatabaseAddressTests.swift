import RPC
import Testing

@testable import Runtime

@Suite("DB_HOST")
struct DatabaseAddressTests {
    private let standard = HostPort(host: "localhost", port: 27017)

    private func parse(_ text: String?) throws -> DatabaseAddress {
        try DatabaseAddress(environment: text.map { ["DB_HOST": $0] } ?? [:], default: standard)
    }

    @Test("every form of the contract is told apart")
    func forms() throws {
        #expect(try parse(nil) == .server(standard))
        #expect(try parse("") == .server(standard))
        #expect(try parse("mongo:27017") == .server(HostPort(host: "mongo", port: 27017)))
        #expect(try parse("sqlite:.run/vessel.db") == .sqlite(path: ".run/vessel.db"))
        #expect(try parse("mongodb://a,b/?replicaSet=rs0") == .mongo(uri: "mongodb://a,b/?replicaSet=rs0"))
        #expect(try parse("mongodb+srv://a.example") == .mongo(uri: "mongodb+srv://a.example"))
        #expect(try parse("postgres://h/db") == .postgres(uri: "postgres://h/db"))
        #expect(try parse("postgresql://h/db") == .postgres(uri: "postgresql://h/db"))
    }

    @Test(
        "anything else is refused, and not repeated: it may hold a password",
        arguments: [
            "sqlite:", "mongodb://", "mysql://root:hunter2@db:3306", "localhost", "mongo:", ":27017",
            "root:hunter2@db:1",
        ])
    func refused(text: String) {
        do {
            Issue.record("accepted: \(try parse(text))")
        } catch let error as ConfigurationError {
            #expect(error.description.hasPrefix("DB_HOST"))
            #expect(!error.description.contains("hunter2"))
        } catch {
            Issue.record("\(error)")
        }
    }

    @Test(
        "a description shows where the store is, and no user, password or option",
        arguments: [
            ("mongodb://root:hunter2@m1:27017,m2:27017/shippy?authSource=admin", "mongodb://m1:27017,m2:27017/shippy"),
            ("postgresql://u:hun@ter2@h:5432/users", "postgresql://h:5432/users"),
            ("postgresql://h/users?password=hunter2", "postgresql://h/users"),
            ("postgresql://u:hunter2?@h/users", "postgresql://…"),
            ("postgresql://h/users?password=hun@ter2", "postgresql://…"),
            ("mongodb://m1", "mongodb://m1"),
            ("sqlite:a.db", "sqlite:a.db"),
            ("mongo:27017", "mongo:27017"),
        ])
    func description(text: String, shown: String) throws {
        let address = try parse(text)
        #expect("\(address)" == shown)
        #expect(String(reflecting: address) == shown)
    }
}
