import Foundation
import Testing

/// What a service is beside its folder and its .proto file, as CONTRIBUTING.md's "Add a service" says.
@Suite("House rules for services")
struct ServiceRules {
    /// A line of Package.swift, one of ARCHITECTURE.md's table of modules, and one of Scripts/run.sh.
    private static let linesMax = 3

    /// A service that was added to show it, with its .proto file in its folder.
    private static let fixture = "Tests/PortServiceFixture/"
    /// How other files could name it.
    private static let names = ["PortService", "port-service", "port.proto"]
    /// Where the tests stand that are about it.
    private static let tests = ["Tests/EndToEndTests/AddedServiceTests.swift", "Tests/TidyTests/ServiceRules.swift"]
    /// What is built, run or written by tests.
    private static let leftOut = [".git", ".build", ".run"]

    /// The paths of all files, from the repository's root.
    private static func paths() throws -> [String] {
        let files = FileManager.default
        var paths: [String] = []
        for name in try files.contentsOfDirectory(atPath: Repository.root) where !leftOut.contains(name) {
            if let walk = files.enumerator(atPath: "\(Repository.root)/\(name)") {
                for case let path as String in walk { paths.append("\(name)/\(path)") }
            }
            paths.append(name)
        }
        return paths
    }

    /// The lines outside of the fixture's folder and its tests that name it, documents left out.
    private static func linesElsewhere() throws -> [String] {
        var found: [String] = []
        for path in try paths()
        where !path.hasPrefix(fixture) && !tests.contains(path) && !path.hasSuffix(".md") {
            // Folders and what is no text have no lines.
            guard let text = try? Repository.text(path), names.contains(where: { text.contains($0) }) else { continue }
            for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
            where names.contains(where: { line.contains($0) }) {
                found.append("\(path):\(index + 1): \(line)")
            }
        }
        return found
    }

    @Test("a service takes a folder, a .proto file and at most three lines elsewhere")
    func addedService() throws {
        let lines = try Self.linesElsewhere()
        #expect(lines.contains { $0.hasPrefix("Package.swift:") }, "the fixture is no target")
        #expect(lines.count <= Self.linesMax, "\(lines.joined(separator: "\n"))")
    }

    @Test("each service is one line of Package.swift's programs, and one of what make run starts")
    func oneLineEach() throws {
        let package = try Repository.text("Package.swift")
        let programs = try #require(package.components(separatedBy: "// MARK: Tests").first)
        let script = try Repository.text("Scripts/run.sh").split(separator: "\n")
        let services = try Repository.services()
        #expect(services.count >= 4)
        for service in services {
            #expect(programs.components(separatedBy: "\"\(service)\"").count == 2, "Package.swift: \(service)")
            let name = service.dropLast("Service".count).lowercased()
            let rows = script.filter { $0.wholeMatch(of: #/(?<name>[a-z]+) [0-9]+(?: --.*)?/#)?.name == name[...] }
            #expect(rows.count == 1, "Scripts/run.sh: \(name)")
        }
    }
}
