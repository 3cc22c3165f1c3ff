import RPC
import Runtime
import Testing

@testable import EmailService

@Suite("SMTP_URL", .timeLimit(.minutes(10)))
struct SMTPAddressTests {
    @Test("server, login and encryption are read")
    func parts() throws {
        let full = try SMTPAddress("smtp://user%40example.com:p%3A%25s%2Fs@mail.example.com:2525")
        #expect(full.server == HostPort(host: "mail.example.com", port: 2525))
        #expect(full.login == .init(user: "user@example.com", password: "p:%s/s"))
        #expect(full.security == .required)
        #expect(full.url == "smtp://mail.example.com:2525/")
        #expect(try SMTPAddress("smtp://mail").server.port == 587)
        #expect(try SMTPAddress("smtps://mail/").server.port == 465)
        #expect(try SMTPAddress("smtps://mail").security == .implicit)
        #expect(try SMTPAddress("smtp://[::1]:25").server == HostPort(host: "::1", port: 25))
        #expect(try SMTPAddress("smtp://[::1]").url == "smtp://[::1]:587/")
        #expect(try SMTPAddress("smtp://user:a:b@mail").login?.password == "a:b")
    }

    @Test(
        "a password goes out in clear only to this machine, or where that is written",
        arguments: [
            ("smtp://u:p@mail", SMTPAddress.Security.required), ("smtp://u:p@127.0.0.1", .offered),
            ("smtp://u:p@localhost", .offered), ("smtp://u:p@[::1]", .offered), ("smtp://mail", .offered),
            ("smtp://u:p@127.example.com", .required), ("smtp://u:p@127.0.0.1.example.com", .required),
            ("smtp://u:p@localhost.example.com", .required), ("smtp://u:p@mail?starttls=never", .never),
            ("smtp://u:p@mail?starttls=required", .required), ("smtp://mail?starttls=required", .required),
        ])
    func security(text: String, expected: SMTPAddress.Security) throws {
        #expect(try SMTPAddress(text).security == expected)
    }

    /// Each is refused, and none shows the password.
    static let wrong = [
        "mail:25", "http://mail", "smtp://", "smtp://:25", "smtp://mail:port", "smtp://mail:0", "smtp://mail:99999",
        "smtp://user@mail", "smtp://:hunter2@mail", "smtp://user:@mail", "smtp://us@er:hunter2@mail",
        "smtp://user:hunter2/@mail", "smtp://user:hunter2#@mail", "smtp://user:hunter2?@mail",
        "smtp://user:hunter2%@mail", "smtp://user:hunter2%zz@mail", "smtp://user:hunter2%ff@mail",
        "smtp://user:hunter2%0d%0a@mail", "smtp://user:hunter2@ma il", "smtp://user:hunter2@mail/path",
        "smtp://user:hunter2@mail?starttls=offered", "smtp://user:hunter2@mail?starttls=perhaps",
        "smtp://user:hunter2@mail?starttls=implicit", "smtp://user:hunter2@mail?tls=1", "smtp://user:hunter2@mail?",
        "smtps://user:hunter2@mail?starttls=required", "smtp:/user:hunter2@mail", "smtp://user:hunter2@mäil",
        "smtp://user:hunter2@[::1", "smtp://user:hunter2@::1", "smtp://user:hunter2@mail%0a",
    ]

    @Test("what is wrong is refused in one line without the login", arguments: wrong)
    func refusals(text: String) {
        let error = #expect(throws: ConfigurationError.self) { try SMTPAddress(text) }
        let line = error?.description ?? ""
        #expect(line.hasPrefix("SMTP_URL: "))
        #expect(!line.contains("hunter2") && !line.contains("\n"), "\(line)")
    }
}
