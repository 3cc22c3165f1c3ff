import Foundation
import TestSupport
import Testing

/// People use the page in a real browser: Debian's Chromium, headless, driven by `Scripts/page.py`.
///
/// The screenshots of the last walk stay in `.build/screenshots`, for a look.
@Suite("The page in a browser", .serialized, .timeLimit(.minutes(12)))
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
        var runs = try await harbor.start()
        let operatorEmail = "operator@example.com"
        try await makeOperator(operatorEmail, &harbor, &runs)
        let screenshots = "\(Self.root)/.build/screenshots"
        try FileManager.default.createDirectory(atPath: screenshots, withIntermediateDirectories: true)

        let walk = try ProcessRun(
            Tool.python,
            [
                "\(Self.root)/Tests/EndToEndTests/Scripts/page.py", "http://127.0.0.1:\(harbor.gateway.port)",
                screenshots,
            ]
                + parts,
            environment: ["HOME": folder.path, "OPERATOR_EMAIL": operatorEmail])
        // It ends itself before.
        let status = try await walk.status(within: .seconds(630))
        let failures = walk.output.split(separator: "\n").filter { $0.hasPrefix("FAIL") }
        #expect(
            status == 0, "\(failures.joined(separator: "\n")) \(walk.output.suffix(500)) \(walk.errors.suffix(2_000))")
        try await Harbor.stop(runs)
        return walk.output.split(separator: "\n").filter { $0.hasPrefix("ok") }.count
    }

    /// Signs somebody up, and starts the user service anew with that user as an operator: ids are known only then.
    private func makeOperator(_ email: String, _ harbor: inout Harbor, _ runs: inout [ProcessRun]) async throws {
        let caller = Caller(port: harbor.gateway.port)
        // As in `pagewalk/kit.py`.
        let answer = try await caller.signUp(email, name: "Olga Operator", password: "correct horse battery")
        let id = answer.text("user.id")
        try #require(!id.isEmpty, "\(answer.body)")
        let index = try #require(harbor.programs.firstIndex { $0.port == harbor.user.port })
        let status = try await runs[index].stop()
        #expect(status == 0)
        harbor.user.environment["OPERATORS"] = id
        runs[index] = try await harbor.user.startReady()
        let port = harbor.gateway.port
        try await eventually("readiness of the gateway") {
            try await Web.get(port, "/readyz").status == 200
        }
    }

    private static let root = {
        var path = #filePath as NSString
        for _ in 0..<3 { path = path.deletingLastPathComponent as NSString }
        return path as String
    }()
}
