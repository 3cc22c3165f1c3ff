import Glibc

/// Reads a file with a consignment as JSON. It is sent unchanged: the gateway checks it and names what is invalid.
enum ConsignmentFile {
    /// The gateway's limit for a body.
    static let bytesMax = 1024 * 1024

    /// - Parameter path: `-` for standard input.
    static func read(_ path: String) throws(Failure) -> [UInt8] {
        let isInput = path.utf8.elementsEqual("-".utf8)
        let name = isInput ? "standard input" : path
        let file = isInput ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw unreadable(name) }
        defer { if !isInput { close(file) } }
        guard let bytes = FileBytes.read(file, bytesMax: bytesMax) else { throw unreadable(name) }
        guard bytes.count <= bytesMax else {
            throw Failure(.badData, "\(name) is larger than the gateway's limit of \(bytesMax / 1024) KiB")
        }
        guard !bytes.isEmpty else { throw Failure(.badData, "\(name) is empty") }
        return bytes
    }

    private static func unreadable(_ name: String) -> Failure {
        Failure(.notFound, "can't read \(name): \(String(cString: strerror(errno)))")
    }
}
