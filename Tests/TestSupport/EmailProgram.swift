import Foundation

extension Program {
    /// The email service.
    ///
    /// - Parameters:
    ///   - store: `DB_HOST`.
    ///   - smtp: `SMTP_URL`; `nil` leaves it unset.
    public static func email(
        store: String, smtp: String? = nil, _ flags: [String] = [], environment: [String: String] = [:]
    ) async throws -> Program {
        let (port, adminPort) = (try Ports.free(), try Ports.free())
        var variables = ["SWIFT_BACKTRACE": "enable=no", "MONGOC_DISABLE_SHM": "1", "DB_HOST": store]
        variables["SMTP_URL"] = smtp
        return Program(
            executable: ProcessRun.product("shippy-email-service"),
            arguments: ["--server_address=127.0.0.1:\(port)", "--admin_address=127.0.0.1:\(adminPort)"] + flags,
            environment: variables.merging(environment) { $1 }, port: port, adminPort: adminPort)
    }
}
