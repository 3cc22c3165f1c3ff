import Contracts
import Logging
import NIOCore
import NIOPosix
import RPC
import TestSupport
import Testing

@testable import UserService

/// The user service's handlers behind a real server, and a client of it.
struct ServiceFixture: Sendable {
    /// 64 bytes: jwt-kit, which also forges for the tests, asks for as many with SHA-512.
    static let secret = "a secret of tests that nobody will ever want to sign with, truly"

    let users: WatchedUsers
    let handlers: UserHandlers
    let client: RPCClient
    let port: Int
    let clock: TestClock
    let log: LogCapture

    func call<Request, Response>(
        _ method: Method<Request, Response>, _ request: Request, token: String? = nil, metadata: Metadata = [:],
        timeout: Duration = .seconds(30)
    ) async throws -> Response {
        var metadata = metadata
        if let token { metadata.add("authorization", "Bearer \(token)") }
        return try await client.call(method, request, metadata: metadata, deadline: .after(timeout))
    }

    /// A token that says that its user is an operator, as `OPERATORS` makes them.
    func operatorToken(of id: String = "olga") -> String {
        let operators = Operators(ids: [id])
        let tokens = Tokens(
            TokenSecrets(current: Self.secret), operators: operators, nowSeconds: clock.wall.seconds)
        return tokens.sign(
            StoredUser(
                id: id, name: "Olga", company: "", email: "olga@example.com", passwordHash: "",
                createdAtMicroseconds: 0))
    }

    /// Signs up, and answers the id and a token.
    @discardableResult
    func signUp(_ email: String, password: String = "correct horse") async throws -> (id: String, token: String) {
        let response = try await call(UserMethods.create, user(email, password: password))
        return (response.user.id, response.token.token)
    }
}

/// How a test wants its service.
struct ServiceWishes {
    var secrets = TokenSecrets(current: ServiceFixture.secret)
    var limits = LoginLimits()
    /// How logins are delayed.
    var sleep: @Sendable (Duration) async throws -> Void = { _ in }
    var threads = 1
    var queuedPerThread = PasswordHasher.queuedPerThread
    var needsToken = true
    var store = UserStoreKind.sqlite
}

func withService(
    _ wishes: ServiceWishes = ServiceWishes(), _ body: (ServiceFixture) async throws -> Void
) async throws {
    try await withWatchedUsers(wishes.store) { try await withService(of: $0, wishes, body) }
}

func withService(
    of users: WatchedUsers, _ wishes: ServiceWishes = ServiceWishes(), _ body: (ServiceFixture) async throws -> Void
) async throws {
    let (clock, log) = (TestClock(), LogCapture())
    let logger = log.logger()
    let hasher = PasswordHasher(threads: wishes.threads, queuedPerThread: wishes.queuedPerThread, logger: logger)
    try hasher.pool.start()
    let handlers = UserHandlers(
        repository: users, tokens: Tokens(wishes.secrets, nowSeconds: clock.wall.seconds),
        passwords: PasswordCheck(
            hasher: hasher, throttle: LoginThrottle(wishes.limits, now: clock.now, sleep: wishes.sleep), logger: logger),
        clock: clock.wall, needsToken: wishes.needsToken)
    try await withServer(handlers.routes(), logger: logger) { client, port in
        // Until a thread is connected, the queue is all there is.
        try await eventually("a hashing thread") { hasher.pool.isReady }
        try await body(
            ServiceFixture(users: users, handlers: handlers, client: client, port: port, clock: clock, log: log))
    }
    await hasher.pool.shutdown()
}

/// A real server with these routes on a free port, and a client of it.
func withServer(
    _ routes: [RPCRoute], logger: Logger, port: Int = 0, _ body: (RPCClient, Int) async throws -> Void
) async throws {
    let group = MultiThreadedEventLoopGroup.singleton
    let server = RPCServer(
        routes: routes, configuration: RPCServer.Configuration(address: HostPort(host: "127.0.0.1", port: port)),
        group: group, logger: logger)
    let bound = try #require(try await server.start().port)
    var configuration = RPCClient.Configuration(target: HostPort(host: "127.0.0.1", port: bound))
    configuration.connectWait = .seconds(15)
    let client = RPCClient(configuration: configuration, group: group, logger: logger)
    do {
        try await body(client, bound)
    } catch {
        await client.shutdown()
        await server.drain(timeout: .milliseconds(100))
        throw error
    }
    await client.shutdown()
    await server.drain(timeout: .milliseconds(100))
}

func user(
    _ email: String = "ada@example.com", password: String = "correct horse", name: String = "Ada",
    company: String = "Analytical Engines"
) -> User_User {
    .with {
        $0.email = email
        $0.password = password
        $0.name = name
        $0.company = company
    }
}

/// The status that `body` fails with; `ok` when it does not.
func status(of body: () async throws -> some Any) async -> Status {
    do {
        _ = try await body()
        return .ok
    } catch { return Status(error) }
}
