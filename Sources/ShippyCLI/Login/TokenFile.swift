import Glibc

/// The user's tokens, one for each gateway, in a file that only the user can read. Blocks.
///
/// Each line is a gateway's address, a space and the token, the latest first. A token is only returned for the gateway
/// that issued it.
struct TokenFile {
    /// Bytes of the file; the oldest tokens are dropped beyond it.
    static let bytesMax = 64 * 1024

    private struct Entry {
        /// ``GatewayURL/text``.
        var url: String
        var token: String
    }

    let path: String

    /// `$XDG_CONFIG_HOME/shippy/token`, else `$HOME/.config/shippy/token`; `nil` when neither variable is set.
    ///
    /// Source: the XDG Base Directory Specification, by which a relative path counts as unset.
    static func standardPath(configHome: String?, home: String?) -> String? {
        let slash = UInt8(ascii: "/")
        if let configHome, configHome.utf8.first == slash { return "\(configHome)/shippy/token" }
        if let home, home.utf8.first == slash { return "\(home)/.config/shippy/token" }
        return nil
    }

    /// - Returns: `nil` when there is none.
    /// - Throws: ``Failure`` when the file can't be read, or when others may read it.
    func token(for url: GatewayURL) throws(Failure) -> String? {
        try entries().first { $0.url.utf8.elementsEqual(url.text.utf8) }?.token
    }

    /// Stores a token in place of the gateway's previous one.
    ///
    /// - Parameter token: one that ``isToken(_:)`` accepts.
    func keep(_ token: String, for url: GatewayURL) throws(Failure) {
        try update { entries in
            entries.removeAll { $0.url.utf8.elementsEqual(url.text.utf8) }
            entries.insert(Entry(url: url.text, token: token), at: 0)
        }
    }

    /// Removes a gateway's token, and with the last one the file. Does nothing when there is none.
    func forget(_ url: GatewayURL) throws(Failure) {
        // Without a file no folder is created.
        guard try !entries().isEmpty else { return }
        try update { entries in entries.removeAll { $0.url.utf8.elementsEqual(url.text.utf8) } }
    }

    /// Whether a header and a line of the file can hold the text.
    static func isToken(_ text: String) -> Bool {
        // The gateway's limit for all headers is 16 KiB.
        (1...8_192).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    }

    // MARK: Reading

    private func entries() throws(Failure) -> [Entry] {
        let lines = try content().split(separator: UInt8(ascii: "\n"))
        return lines.compactMap { line in
            let words = line.split(separator: UInt8(ascii: " "))
            guard words.count == 2, let url = GatewayURL(String(decoding: words[0], as: UTF8.self)) else { return nil }
            let token = String(decoding: words[1], as: UTF8.self)
            return Self.isToken(token) ? Entry(url: url.text, token: token) : nil
        }
    }

    /// - Returns: empty when there is no file.
    private func content() throws(Failure) -> [UInt8] {
        // To open a pipe of this name must not block.
        let file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        if file < 0, errno == ENOENT { return [] }
        guard file >= 0 else { throw unusable(errno) }
        defer { close(file) }
        var info = stat()
        guard fstat(file, &info) == 0 else { throw unusable(errno) }
        guard info.st_mode & S_IFMT == S_IFREG else { throw unusable("it is not a regular file") }
        guard info.st_uid == geteuid() else { throw unusable("it belongs to another user") }
        guard info.st_mode & 0o077 == 0 else {
            throw unusable("others may read it; set its mode to 600, or remove it and log in again")
        }
        guard let bytes = FileBytes.read(file, bytesMax: Self.bytesMax) else { throw unusable(errno) }
        guard bytes.count <= Self.bytesMax else { throw unusable("it is larger than \(Self.bytesMax / 1024) KiB") }
        return bytes
    }

    // MARK: Writing

    private func update(_ change: (inout [Entry]) -> Void) throws(Failure) {
        try makeFolder()
        let folder = open(self.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw unwritable(errno) }
        defer { close(folder) }
        guard fchmod(folder, 0o700) == 0 else { throw unwritable(errno) }
        // Two concurrent log-ins at different gateways must both be stored. A file system without locks on folders can't
        // guarantee that, which is no reason to fail.
        _ = flock(folder, LOCK_EX)
        var entries = try entries()
        change(&entries)
        if entries.isEmpty {
            guard unlink(path) == 0 || errno == ENOENT else { throw unwritable(errno) }
        } else {
            try write(Self.lines(entries))
        }
        fsync(folder)
    }

    private static func lines(_ entries: [Entry]) -> [UInt8] {
        var lines: [UInt8] = []
        for entry in entries {
            let line = Array("\(entry.url) \(entry.token)\n".utf8)
            guard lines.count + line.count <= bytesMax else { break }
            lines += line
        }
        return lines
    }

    /// Writes a new file and renames it, so that the file is never incomplete, and never readable by others.
    private func write(_ bytes: [UInt8]) throws(Failure) {
        let draft = "\(path).\(IdempotencyKey.random())"
        let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw unwritable(errno) }
        var isDone = false
        defer { if !isDone { unlink(draft) } }
        // The umask may have removed the owner's permissions.
        let isWritten = fchmod(file, 0o600) == 0 && FileBytes.write(bytes, file) && fsync(file) == 0
        let writeError = errno
        close(file)
        guard isWritten else { throw unwritable(writeError) }
        guard rename(draft, path) == 0 else { throw unwritable(errno) }
        isDone = true
    }

    private var folder: String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private func makeFolder() throws(Failure) {
        var made = ""
        for part in folder.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            made += part.isEmpty ? "/" : "\(Substring(part))/"
            guard mkdir(made, 0o700) == 0 || errno == EEXIST || errno == EISDIR else { throw unwritable(errno) }
        }
    }

    private func unusable(_ code: Int32) -> Failure { unusable(String(cString: strerror(code))) }

    private func unusable(_ reason: String) -> Failure {
        Failure(.notAllowed, "the token file \(path) can't be used: \(reason)")
    }

    private func unwritable(_ code: Int32) -> Failure {
        Failure(.inputOutput, "the token file \(path) can't be written: \(String(cString: strerror(code)))")
    }
}
