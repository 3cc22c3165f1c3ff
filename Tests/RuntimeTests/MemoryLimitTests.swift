import Foundation
import TestSupport
import Testing

@testable import Runtime

/// Control groups of both versions, in folders of the test's own.
@Suite("The container's memory limit")
struct MemoryLimitTests {
    /// - Parameters:
    /// - groups: content of `/proc/self/cgroup`.
    /// - files: contents by path under the root of all groups.
    private func limit(_ groups: String, _ files: [String: String]) throws -> Int? {
        let folder = try TemporaryFolder()
        for (path, text) in files {
            let file = folder.file("root/\(path)")
            try FileManager.default.createDirectory(
                atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try (text + "\n").write(toFile: file, atomically: true, encoding: .utf8)
        }
        try groups.write(toFile: folder.file("groups"), atomically: true, encoding: .utf8)
        return MemoryLimit.ofContainer(root: folder.file("root"), groups: folder.file("groups"))
    }

    @Test("version 2: the smallest limit of the group and its ancestors; max is no limit")
    func version2() throws {
        let inside = "0::/\n"
        #expect(try limit(inside, ["memory.max": "268435456"]) == 268_435_456)
        #expect(try limit(inside, ["memory.max": "max"]) == nil)
        #expect(try limit(inside, [:]) == nil)
        let nested = "0::/pods/one/web\n"
        #expect(try limit(nested, ["pods/one/web/memory.max": "max", "pods/one/memory.max": "1000"]) == 1_000)
        #expect(try limit(nested, ["pods/one/web/memory.max": "2000", "pods/memory.max": "3000"]) == 2_000)
        #expect(try limit(nested, ["pods/one/web/memory.max": "2000", "pods/memory.max": "1000"]) == 1_000)
    }

    @Test("version 1: the same, and a number that no machine has is no limit")
    func version1() throws {
        let groups = "9:name=systemd:/\n4:cpu,memory:/pods/one\n0::/\n"
        let none = "9223372036854771712"
        #expect(try limit(groups, ["memory/pods/one/memory.limit_in_bytes": "5000"]) == 5_000)
        #expect(
            try limit(
                groups,
                ["memory/pods/one/memory.limit_in_bytes": none, "memory/memory.limit_in_bytes": "7000"]) == 7_000)
        #expect(try limit(groups, ["memory/memory.limit_in_bytes": none]) == nil)
    }

    @Test("unreadable files are no limit")
    func nothing() {
        #expect(MemoryLimit.ofContainer(root: "/nowhere", groups: "/nowhere") == nil)
    }
}
