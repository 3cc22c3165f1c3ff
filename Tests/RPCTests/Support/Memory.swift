import Foundation

/// Memory of this process, which is also that of the servers under test.
enum Memory {
    /// What is in RAM, in bytes.
    static var residentBytes: Int {
        let statm = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        let fields = statm.split(separator: " ")
        return (fields.count > 1 ? Int(fields[1]) ?? 0 : 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    static func grown(since before: Int, lessThanMiB mebibytes: Int) -> Bool {
        // Sanitizers keep what is freed, to catch who still uses it.
        let factor = isSanitized ? 8 : 1
        return residentBytes - before < factor * mebibytes * 1024 * 1024
    }

    private static let isSanitized = dlsym(nil, "__asan_init") != nil || dlsym(nil, "__tsan_init") != nil
}
