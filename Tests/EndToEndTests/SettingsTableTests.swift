import Foundation
import Runtime
import Testing

@testable import APIGateway
@testable import ConsignmentService
@testable import EmailService
@testable import UserService
@testable import VesselService

/// README's tables of settings are made from the tables that the programs read.
@Suite("README's tables of settings")
struct SettingsTableTests {
    /// Each by the mark above it in README.
    private static let tables: [(name: String, table: String)] = [
        ("every program", Setting.table(VesselService.commonSettings)),
        ("the four services", Setting.table(VesselService.serviceSettings)),
        ("gateway", Setting.table(APIGateway.ownSettings)),
        ("vessel", Setting.table(VesselService.ownSettings)),
        ("user", Setting.table(UserService.ownSettings)),
        ("consignment", Setting.table(ConsignmentService.ownSettings)),
        ("email", Setting.table(EmailService.ownSettings)),
    ]

    @Test("README has the settings of the programs; with WRITE_README=1 they are written there")
    func tables() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let file = root.deletingLastPathComponent().appendingPathComponent("README.md")
        let readme = try String(contentsOf: file, encoding: .utf8)
        var written = readme
        for (name, table) in Self.tables {
            let start = try #require(written.range(of: "<!-- settings: \(name) -->\n")?.upperBound, "\(name)")
            let end = try #require(written.range(of: "\n\n", range: start..<written.endIndex)?.lowerBound)
            written.replaceSubrange(start..<end, with: table.dropLast())
        }
        if ProcessInfo.processInfo.environment["WRITE_README"] == "1" {
            try written.write(to: file, atomically: true, encoding: .utf8)
        }
        let isCurrent = try String(contentsOf: file, encoding: .utf8) == written
        #expect(isCurrent, "README's tables are not the programs' any more; `make readme` writes them")
    }

    @Test("flags and variables keep the names that people use")
    func names() {
        let all = Self.tables.map(\.table).joined()
        let rows = [
            ("--server_address", "MICRO_SERVER_ADDRESS"), ("--address", "MICRO_API_ADDRESS"), ("", "PORT"),
            ("--selector", "MICRO_SELECTOR"), ("--namespace", "MICRO_API_NAMESPACE"),
            ("--handler", "MICRO_API_HANDLER"), ("--admin_address", "ADMIN_ADDRESS"), ("--log_level", "LOG_LEVEL"),
            ("--log_calls", "LOG_CALLS"), ("--drain_timeout", "DRAIN_TIMEOUT"), ("--connect_wait", "CONNECT_WAIT"),
            ("--threads", "THREADS"), ("--memory_limit", "MEMORY_LIMIT"), ("--overload_control", "OVERLOAD_CONTROL"),
            ("--tls_cert", "TLS_CERT"), ("--tls_key", "TLS_KEY"), ("--tls_ca", "TLS_CA"),
            ("--store_timeout", "STORE_TIMEOUT"), ("--max_connection_age", "MAX_CONNECTION_AGE"),
            ("--timeout", "UPSTREAM_TIMEOUT"), ("--static", "STATIC_DIR"), ("--rate_limit", "RATE_LIMIT"),
            ("--trusted_proxies", "TRUSTED_PROXIES"), ("--services", "SERVICES"), ("--seed", "SEED_DATA=true"),
            ("--require_token", "REQUIRE_TOKEN=true"), ("--requeue_dead_events", "REQUEUE_DEAD_EVENTS=true"),
            ("", "DB_HOST"), ("", "JWT_SECRET"), ("", "JWT_SECRET_PREVIOUS"), ("", "OPERATORS"), ("", "SMTP_URL"),
            ("", "SMTP_CA"), ("", "SMTP_TIMEOUT"), ("", "MAIL_FROM"), ("", "DISABLE_AUTH=true"),
        ]
        for (flag, variable) in rows {
            let row = (flag.isEmpty ? "| " : "| `\(flag)` ") + "| `\(variable)` | "
            #expect(all.contains("\n" + row), "\(flag) \(variable)")
        }
    }
}
