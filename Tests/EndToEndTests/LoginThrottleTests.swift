import TestSupport
import Testing

/// An attacker guesses passwords through the gateway while the account's owner logs in.
@Suite("Password guesses and the account's owner", .timeLimit(.minutes(10)))
struct LoginThrottleTests {
    private let proxied = "x-forwarded-for"

    private func logIn(
        _ gateway: Program, _ password: String, from address: String
    ) async throws -> WebAnswer {
        try await Web.rpc(
            gateway.port,
            #"{"service": "user", "method": "UserService.Auth", "request": {"email": "ada@example.com", "password": "\#(password)"}}"#,
            headers: [proxied: address, "x-client-address": "192.0.2.7"])
    }

    @Test("guesses are refused after a few; the owner logs in from another address as usual")
    func owner() async throws {
        let folder = try TemporaryFolder()
        let user = try await Program.user(store: "sqlite:\(folder.file("users.sqlite"))", email: try Ports.free())
        let gateway = try Program.gateway(to: ["user": user], ["--trusted_proxies=1"])
        let runs = [try await user.startReady(), try await gateway.startReady()]
        let signUp = try await Caller(port: gateway.port).signUp("ada@example.com")
        #expect(signUp.status == 200)
        var refused = 0
        for guess in 0..<9 {
            let answer = try await logIn(gateway, "guess no. \(guess)", from: "198.51.100.6")
            #expect([401, 429].contains(answer.status))
            if answer.status == 429 { refused += 1 }
        }
        #expect(refused >= 4)
        for _ in 0..<40 {
            let answer = try await logIn(gateway, "correct horse", from: "192.0.2.7")
            #expect(answer.status == 200, "\(answer.body)")
        }
        for run in runs.reversed() { #expect(try await run.stop() == 0) }
    }
}
