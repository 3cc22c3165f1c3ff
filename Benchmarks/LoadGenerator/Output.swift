import Glibc

/// What people read: the report on standard output, what happens meanwhile on standard error.
enum Output {
    static func report(_ text: String) { write(text + "\n", 1) }
    static func error(_ text: String) { write(text + "\n", 2) }

    private static func write(_ text: String, _ descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Swift.max(0, writeBytes(descriptor, $0)) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    private static func writeBytes(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
        Glibc.write(descriptor, bytes.baseAddress, bytes.count)
    }
}
