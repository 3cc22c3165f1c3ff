import Glibc
import NIOCore
import NIOPosix

/// Why a folder can't be served. Said once, at the start.
struct StaticFilesError: Error, Equatable, CustomStringConvertible {
    let description: String
}

extension StaticFiles {
    /// Bounds of what is kept in memory; a folder beyond them is a mistake that should be seen at the start.
    static let fileBytesMax = 8 * 1024 * 1024
    static let totalBytesMax = 64 * 1024 * 1024
    static let filesMax = 2_000
    static let depthMax = 8

    /// Reads every file below `directory`, on a thread that may block.
    ///
    /// Names that begin with a dot are left out, and so are links that lead out of the folder.
    static func load(from directory: String) async throws -> StaticFiles {
        try await NIOThreadPool.singleton.runIfActive {
            var walk = try Walk(root: directory)
            try walk.visit("", depth: 0)
            return StaticFiles(contents: walk.contents)
        }
    }
}

/// A walk through a folder. Blocks.
private struct Walk {
    private let root: String
    private(set) var contents: [String: ByteBuffer] = [:]
    private var totalBytes = 0

    init(root: String) throws {
        guard let resolved = Self.resolve(root) else { throw Self.failure("can't be found", root) }
        self.root = resolved
    }

    /// Reads the files of a folder and of those below it.
    ///
    /// - Parameter path: below the root, empty or ending in a slash.
    mutating func visit(_ path: String, depth: Int) throws {
        guard depth <= StaticFiles.depthMax else { throw Self.failure("is nested too deep", path) }
        for name in try Self.names(in: "\(root)/\(path)") where !name.hasPrefix(".") {
            let child = path + name
            // Links inside the folder are followed (Kubernetes mounts files as links), others are not.
            guard let resolved = Self.resolve("\(root)/\(child)"), resolved.hasPrefix("\(root)/") else { continue }
            var status = stat()
            guard stat(resolved, &status) == 0 else { throw Self.failure("can't be read", child) }
            switch status.st_mode & S_IFMT {
            case S_IFDIR:
                try visit("\(child)/", depth: depth + 1)
            case S_IFREG:
                try add(child, from: resolved, bytes: Int(status.st_size))
            default:
                continue
            }
        }
    }

    private mutating func add(_ path: String, from file: String, bytes: Int) throws {
        totalBytes += bytes
        guard bytes <= StaticFiles.fileBytesMax, totalBytes <= StaticFiles.totalBytesMax,
            contents.count < StaticFiles.filesMax
        else { throw Self.failure("is too much to keep in memory", path) }
        contents[path] = try Self.load(file, path: path, bytes: bytes)
    }

    private static func load(_ file: String, path: String, bytes: Int) throws -> ByteBuffer {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("can't be read", path) }
        defer { close(descriptor) }
        var buffer = ByteBuffer()
        // A file that grows meanwhile is cut at the size that was counted.
        buffer.reserveCapacity(bytes)
        while buffer.readableBytes < bytes {
            let count = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 1) { space in
                // A regular file is not interrupted midway; an error counts as its end and shows as a short file.
                max(0, read(descriptor, space.baseAddress, min(space.count, bytes)))
            }
            if count == 0 { break }
        }
        return buffer
    }

    private static func names(in directory: String) throws -> [String] {
        guard let stream = opendir(directory) else { throw failure("can't be read", directory) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) { name in
                    name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                })
        }
        return names.sorted()
    }

    private static func resolve(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private static func failure(_ reason: String, _ path: String) -> StaticFilesError {
        StaticFilesError(description: "static files: \"\(path)\" \(reason)")
    }
}
