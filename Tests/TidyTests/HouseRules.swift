import Foundation
import Testing

/// The house rules that a machine can check. Each failure names file and line.
@Suite("House rules")
struct HouseRules {
    static let fileLinesMax = 500

    @Test("no source file is too long to read at a sitting")
    func fileLength() throws {
        for file in try Repository.swiftFiles(under: ["Sources", "Tests", "Benchmarks"]) where !file.isGenerated {
            #expect(
                file.lines.count <= Self.fileLinesMax,
                "\(file.path): \(file.lines.count) lines; cut it into files of one idea each")
        }
    }

    @Test(
        "no source hides a crash, prints, or puts work off",
        arguments: ["try!", "as!", "fatalError(", "print(", "TODO", "FIXME"])
    func forbiddenWords(word: String) throws {
        for file in try Repository.swiftFiles(under: ["Sources"]) where !file.isGenerated {
            for (number, line) in file.numberedCode where Self.contains(word, in: line) {
                Issue.record("\(file.path):\(number): '\(word)' is not for Sources")
            }
        }
    }

    /// As a word of its own: `fingerprint(` is no `print(`.
    private static func contains(_ word: String, in line: Substring) -> Bool {
        var rest = line
        while let range = rest.range(of: word) {
            let isWord = rest[..<range.lowerBound].last.map { !$0.isLetter && !$0.isNumber && $0 != "_" } ?? true
            if isWord { return true }
            rest = rest[range.upperBound...]
        }
        return false
    }

    @Test("make test runs every folder of tests")
    func everySuiteRuns() throws {
        let script = try Repository.text("Scripts/test.sh")
        let folders = try FileManager.default.contentsOfDirectory(atPath: Repository.root + "/Tests")
        for folder in folders where folder.hasSuffix("Tests") {
            #expect(
                script.contains(" \(folder)") || script.contains("\"\(folder)"), "Scripts/test.sh leaves \(folder) out")
        }
    }

    @Test("what the compiler must take on trust has a comment right above that names it and says why")
    func uncheckedIsExplained() throws {
        for file in try Repository.swiftFiles(under: ["Sources"]) where !file.isGenerated {
            for (number, line) in file.numberedCode
            where line.contains("@unchecked Sendable") || line.contains("nonisolated(unsafe)") {
                let comment = file.lines[..<(number - 1)].reversed().prefix {
                    $0.drop { $0 == " " }.hasPrefix("//")
                }
                #expect(
                    comment.contains { $0.contains("Sendable") || $0.contains("nonisolated(unsafe)") },
                    "\(file.path):\(number): prove in the comment above that this is safe")
            }
        }
    }

    @Test("between JSON and protobuf the gateway makes no objects")
    func noMessageObjectsInGateway() throws {
        for file in try Repository.swiftFiles(under: ["Sources/APIGateway", "Sources/Shared/Transcoding"]) {
            for (number, line) in file.numberedCode where line.contains("import SwiftProtobuf") {
                Issue.record("\(file.path):\(number): JSON and protobuf are transcoded by their bytes")
            }
        }
    }

    @Test("what runs for every call does not bring in Foundation")
    func noFoundationInHotModules() throws {
        let folders = [
            "Sources/Shared/RPC", "Sources/Shared/HTTP", "Sources/Shared/Transcoding", "Sources/APIGateway",
        ]
        for file in try Repository.swiftFiles(under: folders) {
            for (number, line) in file.numberedCode where line.contains("import Foundation") {
                Issue.record("\(file.path):\(number): Foundation is not for hot paths")
            }
        }
    }
}
