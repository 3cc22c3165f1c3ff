import Glibc

/// The system's text for an `errno`, in lower case to stand within a sentence.
enum SystemError {
    static func text(_ code: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 128)
        // POSIX's strerror_r fills the buffer; strerror itself shares one among threads.
        guard strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
        let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        let text = String(decoding: bytes, as: UTF8.self)
        return text.prefix(1).lowercased() + text.dropFirst()
    }
}

enum FileProbe {
    /// `nil` when the file can be read.
    static func whyUnreadable(_ path: String) -> String? {
        access(path, R_OK) == 0 ? nil : SystemError.text(errno)
    }
}

/// Files of the system that are read at once, such as those in `/proc`.
enum SmallFile {
    private static let bytesMax = 4 * 1024

    /// The first 4 KiB; `nil` for a file that is empty or can't be read.
    static func text(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: bytesMax)
        let count = read(descriptor, &buffer, buffer.count)
        guard count > 0 else { return nil }
        return String(decoding: buffer.prefix(count), as: UTF8.self)
    }
}
