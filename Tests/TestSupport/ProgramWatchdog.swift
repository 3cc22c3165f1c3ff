import Foundation
import Synchronization

/// Ends the programs of tests when the tests' own process is killed or crashes, so that nothing is left behind.
///
/// A shell that waits for the end of a pipe which only this process writes to; then it kills those whose pids are the
/// names of files in a folder, and removes the folders that these files, and a list beside them, name.
enum ProgramWatchdog {
    private static let folder: String? = {
        let folder = NSTemporaryDirectory() + "shippy-guarded-" + UUID().uuidString
        var ends: [Int32] = [-1, -1]
        guard (try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)) != nil,
            pipe(&ends) == 0, ends.allSatisfy({ fcntl($0, F_SETFD, FD_CLOEXEC) == 0 })
        else { return nil }
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = [
            "-c",
            """
            cat; cd "$1" && for pid in *; do kill -9 "$pid"; rm -rf "$(cat "$pid")"; done
            if [ -e .folders ]; then sleep 1; while read -r path; do rm -rf "$path"; done < .folders; fi
            rm -rf "$1"
            """, "sh", folder,
        ]
        shell.standardInput = FileHandle(fileDescriptor: ends[0], closeOnDealloc: true)
        shell.standardOutput = FileHandle.nullDevice
        shell.standardError = FileHandle.nullDevice
        // The other end stays open until this process ends, however that comes about.
        return (try? shell.run()) == nil ? nil : folder
    }()

    /// - Parameter output: the program's own folder, to be removed with it.
    static func began(_ pid: pid_t, output: String) {
        guard let folder else { return }
        _ = FileManager.default.createFile(atPath: "\(folder)/\(pid)", contents: Data(output.utf8))
    }

    /// Removes a folder when this process has ended.
    static func removeAtEnd(_ path: String) {
        guard let folder, let list = fopen("\(folder)/.folders", "a") else { return }
        fputs("\(path)\n", list)
        fclose(list)
    }

    static func ended(_ pid: pid_t) {
        guard let folder else { return }
        try? FileManager.default.removeItem(atPath: "\(folder)/\(pid)")
    }
}
