import Contracts
import Foundation
import NIOPosix
import RPC
import TestSupport
import Testing

@testable import UserService

@Suite("The user service as a program", .timeLimit(.minutes(10)))
struct ProgramTests {
    private func withClient<Value: Sendable>(
        _ program: Program, _ body: (RPCClient) async throws -> Value
    ) async throws -> Value {
        let client = RPCClient(
            configuration: RPCClient.Configuration(target: HostPort(host: "127.0.0.1", port: program.port)),
            group: .singleton, logger: LogCapture().logger())
        do {
            let value = try await body(client)
            await client.shutdown()
            return value
        } catch {
            await client.shutdown()
            throw error
        }
    }

    private func signUp(_ program: Program, _ names: [String]) async throws -> [User_Response] {
        try await withClient(program) { client in
            var responses: [User_Response] = []
            for name in names {
                responses.append(
                    try await client.call(
                        UserMethods.create, user("\(name)@example.com"), deadline: .after(.seconds(20))))
            }
            return responses
        }
    }

    @Test(
        "people sign up with the mail service down; killed and started again, the service still owes the mails and pays",
        arguments: UserStoreKind.allCases)
    func killed(kind: UserStoreKind) async throws {
        let (database, email, emailPort) = (try await EmptyDatabase(kind), FakeEmail(), try Ports.free())
        // A database server needs a secret; the embedded store makes and keeps one.
        let program = try await Program.user(
            store: database.address, email: emailPort, ["--log_level=trace"],
            environment: kind == .sqlite ? [:] : ["JWT_SECRET": ServiceFixture.secret])
        var run = try await program.startReady()
        let first = try await signUp(program, (0..<5).map { "first-\($0)" })
        try await run.crash()
        run = try await program.startReady()
        let second = try await signUp(program, (0..<5).map { "second-\($0)" })
        try await withServer(email.routes, logger: LogCapture().logger(), port: emailPort) { _, _ in
            // What the killed process had claimed is due when its lease ends.
            try await eventually("ten events", within: .seconds(60)) { email.taken.count >= 10 }
            #expect(Set(email.taken.map(\.userID)) == Set((first + second).map(\.user.id)))
            #expect(Set(email.taken.map(\.eventID)).count == 10)
        }
        // The secret was kept, so tokens from before the crash are good.
        let isValid = try await withClient(program) { client in
            try await client.call(UserMethods.validateToken, first[0].token, deadline: .after(.seconds(20))).valid
        }
        #expect(isValid)
        #expect(try await run.stop() == 0)
        withExtendedLifetime(database) {}
        for secret in ["correct horse", "$2b$", ServiceFixture.secret, first[0].token.token, second[0].token.token] {
            #expect(!run.output.contains(secret) && !run.errors.contains(secret))
        }
    }

    @Test("dead-lettered events are delivered after a start with --requeue_dead_events")
    func requeues() async throws {
        let (folder, email) = (try TemporaryFolder(), FakeEmail())
        email.set(.rejects(Status(.invalidArgument, "no")))
        try await withServer(email.routes, logger: LogCapture().logger()) { _, emailPort in
            let program = try await Program.user(store: "sqlite:\(folder.file("users.sqlite"))", email: emailPort)
            var run = try await program.startReady()
            _ = try await signUp(program, ["ada"])
            try await run.waitForOutput("an event was dead-lettered")
            #expect(try await run.stop() == 0)
            email.set(.takes)
            run = try await program.startReady()
            #expect(email.taken.isEmpty)
            #expect(try await run.stop() == 0)
            run = try await program.startReady(["--requeue_dead_events"])
            try await eventually("the event") { email.taken.count == 1 }
            #expect(run.output.contains("\"count\":\"1\""))
            #expect(try await run.stop() == 0)
        }
    }

    @Test("the threads that hash first yield to all others, and no other thread does, also none that was started later")
    func niceness() async throws {
        struct Thread {
            let name: String
            let nice: Int
            let policy: Int
        }
        // proc(5): after the name in brackets come the 3rd and further fields; the 19th is the nice value, the 41st the
        // policy, 5 for those that run where nothing else wants the processor (sched(7)).
        func thread(_ task: String) throws -> Thread {
            let stat = try String(contentsOfFile: "/proc/\(task)/stat", encoding: .utf8)
            let parts = stat.split(whereSeparator: { $0 == "(" || $0 == ")" })
            let fields = parts[2].split(separator: " ").map { Int($0) }
            return Thread(
                name: String(parts[1]), nice: try #require(fields[16]), policy: try #require(fields[38]))
        }
        let folder = try TemporaryFolder()
        let program = try await Program.user(
            store: "sqlite:\(folder.file("users.sqlite"))", email: try Ports.free())
        let run = try await program.startReady()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<8 { group.addTask { _ = try await signUp(program, ["a\(client)", "b\(client)"]) } }
            try await group.waitForAll()
        }
        let own = try thread("\(run.pid)").nice
        let tasks = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(run.pid)/task")
        let threads = tasks.compactMap { try? thread("\(run.pid)/task/\($0)") }
        // Where it may, libdispatch raises some of its own.
        let yielding = threads.filter { $0.nice > own }
        #expect(yielding.allSatisfy { $0.name == "passwords-nice" && $0.nice == min(19, own + 10) }, "\(yielding)")
        let idle = threads.filter { $0.policy == 5 }
        #expect(idle.count == PasswordHasher.threadsStandard)
        #expect(idle.allSatisfy { $0.name == "passwords-idle" }, "\(idle)")
        #expect(yielding.count == PasswordHasher.threadsStandard)
        #expect(try await run.stop() == 0)
    }

    @Test("with DISABLE_AUTH=true nobody needs a token, and the log says so loudly")
    func disabledAuth() async throws {
        let folder = try TemporaryFolder()
        let program = try await Program.user(
            store: "sqlite:\(folder.file("users.sqlite"))", email: try Ports.free(),
            environment: ["DISABLE_AUTH": "true"])
        let run = try await program.startReady()
        #expect(run.output.contains("\"level\":\"critical\"") && run.output.contains("DISABLE_AUTH"))
        let users = try await withClient(program) { client in
            try await client.call(UserMethods.getAll, User_Request(), deadline: .after(.seconds(20))).users
        }
        #expect(users.isEmpty)
        #expect(try await run.stop() == 0)
    }

    @Test("settings that can't be used end the program with one line that shows no secret")
    func badSettings() async throws {
        let folder = try TemporaryFolder()
        let store = "sqlite:\(folder.file("users.sqlite"))"
        let short = "only-a-short-secret"
        let cases: [(environment: [String: String], complaint: String)] = [
            (["DB_HOST": "localhost:1"], "JWT_SECRET is not set"), (["JWT_SECRET": short], "JWT_SECRET has 19 bytes"),
            (["JWT_SECRET_PREVIOUS": short], "JWT_SECRET_PREVIOUS has 19 bytes"),
            (["DISABLE_AUTH": "perhaps"], "DISABLE_AUTH"), (["REQUEUE_DEAD_EVENTS": "perhaps"], "REQUEUE_DEAD_EVENTS"),
            (["EMAIL_ADDRESS": "nowhere"], "EMAIL_ADDRESS"), (["DB_HOST": "sqlite:"], "DB_HOST"),
        ]
        for (environment, complaint) in cases {
            let run = try await Program.user(store: store, email: try Ports.free(), environment: environment).launch()
            #expect(try await run.status() == 64)
            #expect(run.errors.contains(complaint), "\(run.errors)")
            #expect(run.errors.split(separator: "\n").count == 1)
            #expect(!run.errors.contains(short))
        }
    }
}
