import Foundation
import TestSupport
import Testing

@testable import LoadGenerator

/// What becomes of the JSON: `Benchmarks/report.py`.
@Suite("The table of results")
struct DocumentTests {
    private static let root: String = {
        var path = #filePath as NSString
        for _ in 0..<3 { path = path.deletingLastPathComponent as NSString }
        return path as String
    }()

    @discardableResult
    private func script(_ arguments: String...) async throws -> String {
        try await Tool.run("python3", [Self.root + "/Benchmarks/report.py"] + arguments)
    }

    @Test("a run before, in and after overload is written into the document, with its plot, again and again")
    func write() async throws {
        let folder = try TemporaryFolder()
        let json = folder.file("overload.json")
        let behaviour = FakeGateway.Behaviour(cost: .milliseconds(5), waitMax: .milliseconds(50))
        try await FakeGateway.with(behaviour) { gateway in
            let run = try ProcessRun(
                ProcessRun.product("load-generator"),
                [
                    "--url", gateway.address, "--phases", "1500ms@50,1s@400,2s@50", "--mix", "booking=1,listing=1",
                    "--quiet", "--json", json, "--plot", folder.file("overload.svg"), "--watch",
                    "\(ProcessInfo.processInfo.processIdentifier)=tests",
                ])
            let status = try await run.status()
            #expect(status == 0, "\(run.errors)")
        }
        let summary = try await script("summary", "200", json)
        #expect(summary.contains("goodput in the overload:") && summary.contains("until booking is back"), "\(summary)")

        let document = folder.file("performance.md")
        try String(contentsOfFile: Self.root + "/docs/performance.md", encoding: .utf8)
            .write(toFile: document, atomically: true, encoding: .utf8)
        try await script("write", document, "200", json)
        let once = try String(contentsOfFile: document, encoding: .utf8)
        try await script("write", document, "200", json)
        let twice = try String(contentsOfFile: document, encoding: .utf8)
        #expect(once == twice)
        #expect(once.contains("| capacity | 200/s |") && once.contains("% of capacity | at least 95 % |"), "\(once)")
        #expect(once.contains("| goodput in its worst 10 s | ") && once.contains(" % of capacity | at least 90 % |"))
        #expect(once.contains(", log-ins and sign-ups apart | "))
        #expect(once.contains("| offered in the overload | 400/s for 0.0 min, 2.0 × capacity |"), "\(once)")
        #expect(once.contains("| booking in the overload | ") && once.contains(" % accepted, p99 "), "\(once)")
        #expect(once.contains("(performance.svg)"))
        #expect(FileManager.default.fileExists(atPath: folder.file("performance.svg")))
        let rows = once.split(separator: "\n").filter { $0.hasPrefix("| ") }
        #expect(rows.allSatisfy { !$0.contains("null") && !$0.contains("None") })
    }

    @Test("a run without three phases is refused and the document stays")
    func wrongRun() async throws {
        let folder = try TemporaryFolder()
        let document = folder.file("d.md")
        try "no marks".write(toFile: document, atomically: true, encoding: .utf8)
        try #"{"phases": []}"#.write(toFile: folder.file("r.json"), atomically: true, encoding: .utf8)
        for arguments in [
            ["summary", "200", folder.file("r.json")], ["write", document, "200", folder.file("r.json")],
        ] {
            let run = try ProcessRun("python3", [Self.root + "/Benchmarks/report.py"] + arguments)
            let status = try await run.status()
            #expect(status == 1)
            #expect(run.errors.contains("report.py:"), "\(run.errors)")
        }
        #expect(try String(contentsOfFile: document, encoding: .utf8) == "no marks")
    }
}
