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
}
