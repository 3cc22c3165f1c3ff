import Foundation
import TestSupport
import Testing

/// People use the page in a real browser: Debian's Chromium, headless, driven by `Scripts/page.py`.
///
/// The screenshots of the last walk stay in `.build/screenshots`, for a look.
@Suite("The page in a browser", .serialized, .timeLimit(.minutes(9)))
struct PageWalkTests {
    @Test("the whole story and its errors, by mouse and keyboard, at every width, in light and dark")
    func walk() async throws {
        let folder = try TemporaryFolder()
        let checks = try await walk(.embedded(in: folder))
        #expect(checks > 1_000)
    }

    @Test("the story, on PostgreSQL and MongoDB")
    func walkOnServers() async throws {
        let checks = try await walk(try await Harbor.Stores.servers(), ["story"])
        #expect(checks > 20)
    }

    /// - Parameter parts: of the walk; all when there are none.
    /// - Returns: how many checks were made, all of them well.
    private func walk(_ stores: Harbor.Stores, _ parts: [String] = []) async throws -> Int {
        let folder = try TemporaryFolder()
        var harbor = try Harbor(stores)
        harbor.gateway.arguments.append("--static=\(Self.root)/ui")
        let runs = try await harbor.start()
        let screenshots = "\(Self.root)/.build/screenshots"
        try FileManager.default.createDirectory(atPath: screenshots, withIntermediateDirectories: true)

        let walk = try ProcessRun(
            Tool.python,
            [
                "\(Self.root)/Tests/EndToEndTests/Scripts/page.py", "http://127.0.0.1:\(harbor.gateway.port)",
                screenshots,
            ]
                + parts,
            environment: ["HOME": folder.path])
        // It ends itself before.
        let status = try await walk.status(within: .seconds(480))
        let failures = walk.output.split(separator: "\n").filter { $0.hasPrefix("FAIL") }
        #expect(
            status == 0, "\(failures.joined(separator: "\n")) \(walk.output.suffix(500)) \(walk.errors.suffix(2_000))")
        try await Harbor.stop(runs)
        return walk.output.split(separator: "\n").filter { $0.hasPrefix("ok") }.count
    }

    private static let root = {
        var path = #filePath as NSString
        for _ in 0..<3 { path = path.deletingLastPathComponent as NSString }
        return path as String
    }()
}
