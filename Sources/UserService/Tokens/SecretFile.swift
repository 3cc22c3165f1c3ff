import Glibc
import Idempotency
import Runtime

/// A secret that is made once and kept in a file that only its owner can read. Blocks; for the start of a program.
struct SecretFile {
    /// A longer file is not one of ours.
    private static let byteCountMax = 4_096

    let path: String

    /// The secret in the file; made where the file is missing. Of several processes that start together, one makes it.
    ///
    /// - Throws: `ConfigurationError` when the file can't be used, with its path and without its content.
    func secret() throws(ConfigurationError) -> String {
        if let secret = try load() { return secret }
        try makeFolder()
        try make()
        guard let secret = try load() else { throw problem("it is gone again") }
        return secret
    }

    /// - Returns: `nil` when there is no file.
    private func load() throws(ConfigurationError) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        if file < 0, errno == ENOENT { return nil }
        guard file >= 0 else { throw problem(errno) }
        defer { close(file) }
        var info = stat()
        guard fstat(file, &info) == 0 else { throw problem(errno) }
        guard info.st_mode & 0o077 == 0 else { throw problem("others may read it; set its mode to 600") }
        var bytes = [UInt8](repeating: 0, count: Self.byteCountMax + 1)
        let count = read(file, &bytes, bytes.count)
        guard count >= 0 else { throw problem(errno) }
        let text = bytes.prefix(count).filter { $0 > 0x20 }
        guard count <= Self.byteCountMax, text.count >= TokenSecrets.byteCountMin else {
            throw problem("it holds no secret of at least \(TokenSecrets.byteCountMin) bytes")
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Writes a whole file under another name and then links it here, so that nobody ever sees half a secret.
    private func make() throws(ConfigurationError) {
        // 256 random bits as 64 digits.
        let secret = Array("\(Identifier.random())\(Identifier.random())\n".utf8)
        let draft = "\(path).\(Identifier.random())"
        let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw problem(errno) }
        defer { unlink(draft) }
        let isWritten = write(file, secret, secret.count) == secret.count && fsync(file) == 0
        let writeError = errno
        close(file)
        guard isWritten else { throw problem(writeError) }
        // Another process may have been faster; then its secret counts.
        guard link(draft, path) == 0 || errno == EEXIST else { throw problem(errno) }
        let folder = open(self.folder, O_RDONLY | O_CLOEXEC)
        guard folder >= 0 else { return }
        fsync(folder)
        close(folder)
    }

    private var folder: String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The store makes its folder too, but only later.
    private func makeFolder() throws(ConfigurationError) {
        var made = ""
        for part in folder.split(separator: "/", omittingEmptySubsequences: false) {
            made += part.isEmpty ? "/" : "\(part)/"
            guard mkdir(made, 0o700) == 0 || errno == EEXIST || errno == EISDIR else { throw problem(errno) }
        }
    }

    private func problem(_ code: Int32) -> ConfigurationError {
        problem(String(cString: strerror(code)))
    }

    private func problem(_ reason: String) -> ConfigurationError {
        ConfigurationError("JWT_SECRET is not set, and its file \(path) can't be used: \(reason)")
    }
}
