extension Program {
    /// The user service.
    ///
    /// - Parameters:
    ///   - store: `DB_HOST`.
    ///   - email: the port of the mail service on 127.0.0.1.
    public static func user(
        store: String, email: Int, _ flags: [String] = [], environment: [String: String] = [:]
    ) async throws -> Program {
        let (port, adminPort) = (try Ports.free(), try Ports.free())
        let variables = ["DB_HOST": store, "EMAIL_ADDRESS": "127.0.0.1:\(email)"]
        return Program(
            executable: ProcessRun.product("shippy-user-service"),
            arguments: ["--server_address=127.0.0.1:\(port)", "--admin_address=127.0.0.1:\(adminPort)"] + flags,
            environment: quiet.merging(variables) { $1 }.merging(environment) { $1 },
            port: port, adminPort: adminPort)
    }
}
