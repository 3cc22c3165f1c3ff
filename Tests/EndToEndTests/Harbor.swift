import Foundation
import TestSupport
import Testing

/// All five programs, each with a store of its own, as people run them.
struct Harbor {
    var vessel: Program
    var email: Program
    var user: Program
    var consignment: Program
    var gateway: Program

    /// Where each service keeps what it knows: `DB_HOST` by name, and what else it needs.
    struct Stores {
        var vessel: String
        var email: String
        var user: String
        var consignment: String
        var userEnvironment: [String: String] = [:]

        /// Files in one folder.
        static func embedded(in folder: TemporaryFolder) -> Stores {
            func file(_ name: String) -> String { "sqlite:" + folder.file("\(name).db") }
            return Stores(
                vessel: file("vessel"), email: file("email"), user: file("user"), consignment: file("consignment"))
        }

        /// Databases of their own on the shared servers.
        static func servers() async throws -> Stores {
            let mongo = try await MongoServer.shared.value
            let postgres = try await PostgresServer.shared.value
            return Stores(
                vessel: mongo.uri(), email: mongo.uri(), user: try await postgres.database(),
                consignment: mongo.uri(), userEnvironment: ["JWT_SECRET": jwtSecret])
        }
    }

    static let jwtSecret = "a-secret-of-the-tests-that-is-long-enough"

    init(_ stores: Stores, smtp: String? = nil, environment: [String: String] = [:]) throws {
        email = try Program.service(
            "email", store: stores.email, environment: environment.merging(smtp.map { ["SMTP_URL": $0] } ?? [:]) { $1 })
        user = try Program.service(
            "user", store: stores.user, calls: ["email": email],
            environment: environment.merging(stores.userEnvironment) { $1 })
        vessel = try Program.service(
            "vessel", store: stores.vessel, calls: ["user": user], ["--seed"], environment: environment)
        consignment = try Program.service(
            "consignment", store: stores.consignment, calls: ["vessel": vessel, "user": user],
            environment: environment)
        gateway = try Program.gateway(
            to: ["vessel": vessel, "user": user, "consignment": consignment], environment: environment)
    }

    /// All of them, ready; in the order of ``programs``.
    func start() async throws -> [ProcessRun] {
        var runs: [ProcessRun] = []
        for program in programs { runs.append(try await program.startReady()) }
        try await eventually("readiness of the gateway") {
            try await Web.get(gateway.port, "/readyz").status == 200
        }
        return runs
    }

    /// Callees before callers, the gateway last.
    var programs: [Program] { [vessel, email, user, consignment, gateway] }

    /// Ends what ``start()`` began, callers first, and expects each to end well.
    static func stop(_ runs: [ProcessRun]) async throws {
        for run in runs.reversed() {
            let status = try await run.stop()
            #expect(status == 0, "\(run.errors.suffix(1_000))")
        }
    }
}

/// What people say to a gateway.
struct Caller {
    /// The gateway's port.
    let port: Int

    /// - Parameter request: JSON.
    func rpc(_ service: String, _ method: String, _ request: String, token: String? = nil) async throws -> WebAnswer {
        try await Web.rpc(
            port, #"{"service": "\#(service)", "method": "\#(method)", "request": \#(request)}"#,
            headers: token.map { ["authorization": "Bearer \($0)"] } ?? [:])
    }

    /// The request with which the series' page and command-line client sign people up.
    func signUp(_ email: String, name: String = "Ewan", password: String = "correct horse") async throws -> WebAnswer {
        try await rpc(
            "shippy.auth", "Auth.Create",
            #"{"name": "\#(name)", "company": "BBC", "email": "\#(email)", "password": "\#(password)"}"#)
    }

    /// The request with which they log in.
    func logIn(_ email: String, password: String = "correct horse") async throws -> WebAnswer {
        try await rpc("shippy.auth", "Auth.Auth", #"{"email": "\#(email)", "password": "\#(password)"}"#)
    }
}

extension WebAnswer {
    /// What is at a path such as `token.token`; empty when that is no text.
    func text(_ path: String) -> String {
        var value: Any? = json
        for name in path.split(separator: ".") { value = (value as? [String: Any])?[String(name)] }
        return value as? String ?? ""
    }

    /// The objects in a list.
    func list(_ name: String) -> [[String: Any]] { json[name] as? [[String: Any]] ?? [] }
}
