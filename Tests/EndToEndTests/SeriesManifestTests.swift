import Foundation
import TestSupport
import Testing

/// The series' manifests start the programs as they start the series' own: the same words, the same variables.
@Suite("The series' manifests", .timeLimit(.minutes(10)))
struct SeriesManifestTests {
    private struct Container: Decodable {
        var name: String
        var image: String
        /// Command and arguments.
        var words: [String]
        var env: [String: String]

        /// The program that the first word starts in its image; `api` is a link to the gateway there.
        var product: String {
            let name = words[0].replacingOccurrences(of: "./", with: "")
            return name == "api" ? "shippy-api-gateway" : name
        }
    }

    @Test("each program takes the command line and the variables of its manifest")
    func commandLines() async throws {
        let folder = Documents.root.appendingPathComponent("deployments/series").path
        let files = try FileManager.default.contentsOfDirectory(atPath: folder).sorted().map { "\(folder)/\($0)" }
        let lines = try await Tool.run(Tool.python, [Script.path("series.py")] + files).split(separator: "\n")
        let containers = try lines.map { try JSONDecoder().decode(Container.self, from: Data($0.utf8)) }
        let names = containers.map(\.name).sorted()
        #expect(names == ["api", "consignment", "email", "micro", "ui", "user", "vessel"])

        // The page's image starts nginx by itself.
        for container in containers where container.name != "ui" {
            #expect(container.image.hasPrefix("shippy/\(container.product.replacing("shippy-", with: "")):"))
            // Asking for health reads all settings and opens no port; nobody is there to answer.
            let port = try Ports.free()
            let run = try ProcessRun(
                ProcessRun.product(container.product), Array(container.words.dropFirst()) + ["--healthcheck"],
                environment: container.env.merging(["ADMIN_ADDRESS": "127.0.0.1:\(port)"]) { $1 })
            #expect(try await run.status() == 1, "\(container.name): \(run.errors)")
            #expect(run.errors.contains("can't reach 127.0.0.1:\(port)"), "\(container.name): \(run.errors)")
        }
        #expect(containers.first(where: { $0.name == "micro" })?.words.first == "api")
        #expect(containers.first(where: { $0.name == "ui" })?.words == [])
    }
}
