import Foundation
import TestSupport
import Testing

/// The README's tour does what it says.
@Suite("The README's tour", .timeLimit(.minutes(10)))
struct ReadmeTests {
    private struct Step {
        var command: String
        var output = ""
    }

    @Test("every command of the tour answers what stands below it")
    func tour() async throws {
        let folder = try TemporaryFolder()
        let harbor = try Harbor(.embedded(in: folder))
        let runs = try await harbor.start()
        let steps = try Self.steps()
        #expect(steps.count >= 10)

        // One shell for all, as a reader has it: later commands use what earlier ones set.
        var script = "curl() { command curl -s \"$@\"; }\n"
        for step in steps {
            let command = step.command.replacing("localhost:8080", with: "localhost:\(harbor.gateway.port)")
                .replacing(".run/email.log", with: runs[1].outputFile)
            // The mail is on its way while the reader reads on.
            let isAboutMail = step.command.hasPrefix("grep")
            script += isAboutMail ? "for i in $(seq 300); do \(command) && break; sleep 0.1; done\n" : "\(command)\n"
            script += "printf '\\n@@@\\n'\n"
        }
        let outputs = try await Tool.run("sh", ["-c", script]).components(separatedBy: "@@@\n")
        for (step, output) in zip(steps, outputs) {
            #expect(Self.general(output) == Self.general(step.output), "\(step.command)")
        }
        #expect(outputs.count == steps.count + 1)
        try await Harbor.stop(runs)
    }

    /// The commands and what is shown below each.
    private static func steps() throws -> [Step] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let readme = try String(
            contentsOf: root.deletingLastPathComponent().appendingPathComponent("README.md"), encoding: .utf8)
        let section = try #require(readme.components(separatedBy: "\n## ").first { $0.hasPrefix("A tour") })
        var steps: [Step] = []
        var isCode = false
        for line in section.components(separatedBy: "\n") {
            if line.hasPrefix("```") {
                isCode.toggle()
            } else if isCode, line.hasPrefix("$ ") {
                steps.append(Step(command: String(line.dropFirst(2))))
            } else if isCode, !steps.isEmpty {
                steps[steps.count - 1].output += line + "\n"
            }
        }
        return steps
    }

    /// With a word in place of what is different each time.
    private static func general(_ output: String) -> String {
        output.trimmingCharacters(in: .whitespacesAndNewlines)
            .replacing(/eyJ[A-Za-z0-9_.-]+/, with: "TOKEN").replacing(/\b[0-9a-f]{32}\b/, with: "ID")
            .replacing(/\b\d{4}-\d\d-\d\dT[0-9:.]+Z/, with: "TIME")
    }
}
