import Glibc

/// Complete reads and writes; `read(2)` and `write(2)` may transfer less than asked for.
enum FileBytes {
    /// - Returns: the bytes up to the end of the file, or the first `bytesMax` + 1; `nil` with `errno` set on failure.
    static func read(_ file: Int32, bytesMax: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: bytesMax + 1)
        var count = 0
        while count < bytes.count {
            let part = bytes.withUnsafeMutableBytes { buffer in
                let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
                return readBytes(file, rest)
            }
            if part < 0, errno == EINTR { continue }
            guard part >= 0 else { return nil }
            if part == 0 { break }
            count += part
        }
        return Array(bytes.prefix(count))
    }

    /// - Returns: whether all bytes were written; if not, `errno` is set.
    static func write(_ bytes: [UInt8], _ file: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { writeBytes(file, $0) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    private static func readBytes(_ file: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
        Glibc.read(file, buffer.baseAddress, buffer.count)
    }

    private static func writeBytes(_ file: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
        Glibc.write(file, bytes.baseAddress, bytes.count)
    }
}
