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
