import Foundation
import Testing

@Suite("Documents")
struct Documents {
    @Test(
        "every make command that README, CONTRIBUTING and the tutorial show exists",
        arguments: ["README.md", "CONTRIBUTING.md", "docs/tutorial.md"])
    func commandsExist(document: String) throws {
        let targets = try Self.makeTargets()
        #expect(targets.contains("run") && targets.contains("test"))
        for command in try Self.codeLines(of: document) {
            let words = command.split(separator: " ")
            guard words.first == "make", words.count > 1 else { continue }
            for word in words.dropFirst().prefix(while: { $0 != "#" && !$0.contains("=") }) {
                #expect(targets.contains(String(word)), "\(document) shows 'make \(word)', which is no target")
            }
        }
    }

    @Test(
        "every file and section that documents link to exists",
        arguments: [
            "ARCHITECTURE.md", "README.md", "CONTRIBUTING.md", "docs/kubernetes.md", "docs/operations.md",
            "docs/performance.md", "docs/reliability.md", "docs/security.md", "docs/tutorial.md",
        ])
    func linksExist(document: String) throws {
        let text = try Repository.text(document)
        for match in text.matches(of: /\]\(([^)#:]+)(?:#([^)]*))?\)/) {
            let path = Self.path(String(match.1), from: document)
            let isThere = FileManager.default.fileExists(atPath: "\(Repository.root)/\(path)")
            #expect(isThere, "\(document) links to \(path)")
            guard let anchor = match.2 else { continue }
            let headings = try Repository.text(path).split(separator: "\n").filter { $0.hasPrefix("#") }
            let anchors = headings.map { Self.anchor(of: $0) }
            #expect(anchors.contains(String(anchor)), "\(document) links to \(path)#\(anchor)")
        }
    }

    /// A link's path from the repository's root.
    private static func path(_ link: String, from document: String) -> String {
        ((document as NSString).deletingLastPathComponent as NSString).appendingPathComponent(link)
    }

    /// What a heading is linked to by: its letters, digits and hyphens in lower case, with hyphens for spaces.
    private static func anchor(of heading: Substring) -> String {
        let text = heading.drop { $0 == "#" || $0 == " " }.lowercased()
        var anchor = ""
        for character in text where character.isLetter || character.isNumber || "-_ ".contains(character) {
            anchor.append(character == " " ? "-" : character)
        }
        return anchor
    }

    @Test("make help shows every target")
    func helpIsComplete() throws {
        for line in try Repository.text("Makefile").split(separator: "\n") {
            guard let target = line.wholeMatch(of: /([a-z-]+):.*/), !line.contains("##") else { continue }
            Issue.record("Makefile: say after ## what '\(target.1)' does")
        }
    }

    private static func makeTargets() throws -> Set<String> {
        let lines = try Repository.text("Makefile").split(separator: "\n")
        return Set(lines.compactMap { line in line.prefixMatch(of: /([a-z-]+):/).map { String($0.1) } })
    }

    /// The lines within ``` fences.
    private static func codeLines(of document: String) throws -> [Substring] {
        var isCode = false
        return try Repository.text(document).split(separator: "\n", omittingEmptySubsequences: false).filter { line in
            if line.hasPrefix("```") {
                isCode.toggle()
                return false
            }
            return isCode
        }
    }
}
