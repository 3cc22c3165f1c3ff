import Foundation
import Testing

/// The modules and what each may know, as ARCHITECTURE.md draws them: the table there is the rule.
@Suite("House rules for modules")
struct ModuleRules {
    private struct Module {
        let name: String
        let dependencies: Set<String>
    }

    /// The table's rows, from the programs down to the module that depends on none of ours.
    private static func modules() throws -> [Module] {
        let document = try Repository.text("ARCHITECTURE.md")
        let table = try #require(document.firstMatch(of: #/## Modules\n.*?```\n(?<rows>.*?)```/#.dotMatchesNewlines()))
        return table.rows.split(separator: "\n").compactMap { row in
            let parts = row.split(separator: "→")
            guard parts.count == 2, let dependencies = parts[1].split(separator: "(").first else { return nil }
            let names = dependencies.split(separator: " ").map(String.init)
            return Module(
                name: parts[0].trimmingCharacters(in: .whitespaces),
                dependencies: names.first == "no" ? [] : Set(names))
        }
    }

    /// The folders of all modules of ours that have Swift sources, by name.
    private static func folders() throws -> [String: String] {
        let targets = #/\.(?:executableTarget|target)\(\s*name: "(?<name>\w+)".*?path: "(?<path>[^"]+)"/#
            .dotMatchesNewlines()
        let modules = #/\bmodule\(\s*"(?<name>\w+)", "(?<folder>[^"]+)"/#
        let manifest = try Repository.text("Package.swift")
        var folders: [String: String] = [:]
        for target in manifest.matches(of: targets) where target.path.hasPrefix("Sources/") {
            folders[String(target.name)] = String(target.path)
        }
        for service in try Repository.services() { folders[service] = "Sources/\(service)" }
        for module in manifest.matches(of: modules) {
            folders[String(module.name)] = "Sources/Shared/\(module.folder)"
        }
        return folders
    }

    private static func libraries() throws -> Set<String> {
        Set(try FileManager.default.contentsOfDirectory(atPath: Repository.root + "/Sources/Shared/CLibraries"))
    }

    private static func imports(of folder: String) throws -> Set<String> {
        var names: Set<String> = []
        for file in try Repository.swiftFiles(under: [folder]) {
            for (_, line) in file.numberedCode {
                let word = #/^(?:\w+ )?import (?:(?:struct|enum|class|protocol|func) )?(?<name>\w+)/#
                if let name = line.firstMatch(of: word)?.name { names.insert(String(name)) }
            }
        }
        return names
    }

    @Test("ARCHITECTURE.md names each module, with all that it imports, and no module imports one above it")
    func imports() throws {
        let modules = try Self.modules()
        let folders = try Self.folders()
        #expect(Set(modules.map(\.name)) == Set(folders.keys))
        let ours = Set(folders.keys).union(try Self.libraries())
        for (place, module) in modules.enumerated() {
            let folder = try #require(folders[module.name])
            let imported = try Self.imports(of: folder).intersection(ours)
            #expect(imported == module.dependencies, "\(module.name): what it imports is not what the table says")
            let above = Set(modules[...place].map(\.name)).intersection(imported)
            #expect(above.isEmpty, "\(module.name) imports upward: \(above.sorted())")
        }
    }

    @Test("no shared module knows the gateway's settings, passwords, or who signs tokens")
    func sharedModulesKnowNoProgram() throws {
        let words = ["GatewayOptions", "GatewaySettings", "Bcrypt", "MICRO_API_", "JWT_SECRET", "PasswordHash"]
        for file in try Repository.swiftFiles(under: ["Sources/Shared"]) where !file.isGenerated {
            for (number, line) in file.numberedCode {
                for word in words where line.contains(word) {
                    Issue.record("\(file.path):\(number): \(word) belongs to one program")
                }
            }
        }
    }
}
