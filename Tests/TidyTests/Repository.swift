import Foundation

/// The files of this repository, read where the tests were built.
enum Repository {
    /// The package's folder: three above this file.
    static let root: String = {
        var path = #filePath as NSString
        for _ in 0..<3 { path = path.deletingLastPathComponent as NSString }
        return path as String
    }()

    struct File {
        let path: String
        let lines: [Substring]

        var isGenerated: Bool { path.hasSuffix(".pb.swift") }

        /// Lines that are not comments, numbered from 1.
        var numberedCode: [(Int, Substring)] {
            lines.enumerated().compactMap { index, line in
                line.drop { $0 == " " }.hasPrefix("//") ? nil : (index + 1, line)
            }
        }
    }

    /// The services that people run, as Package.swift names them, such as `VesselService`; each has a folder in Sources.
    static func services() throws -> [String] {
        try text("Package.swift").matches(of: #/ service\(\s*"(?<name>\w+)",\s*needs:/#).map { String($0.name) }
    }

    static func text(_ path: String) throws -> String {
        try String(contentsOfFile: root + "/" + path, encoding: .utf8)
    }

    static func swiftFiles(under folders: [String]) throws -> [File] {
        var files: [File] = []
        for folder in folders {
            guard let walk = FileManager.default.enumerator(atPath: root + "/" + folder) else { continue }
            for case let name as String in walk where name.hasSuffix(".swift") {
                let path = "\(folder)/\(name)"
                let lines = try text(path).split(separator: "\n", omittingEmptySubsequences: false)
                // A last line feed ends a line and does not begin another.
                files.append(File(path: path, lines: lines.last == "" ? lines.dropLast() : lines))
            }
        }
        return files
    }
}
