import Foundation

/// A folder for one test, removed with its last reference.
public final class TemporaryFolder: Sendable {
    public let path: String

    /// - Parameter isStatic: kept by a static, which nobody releases: then it is removed when the process has ended.
    public init(isStatic: Bool = false) throws {
        path = NSTemporaryDirectory() + "shippy-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        if isStatic { ProgramWatchdog.removeAtEnd(path) }
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    public func file(_ name: String) -> String { "\(path)/\(name)" }
}

/// Asks again until `condition` holds.
///
/// - Returns: whether it held within `limit`.
public func eventually(within limit: Duration = .seconds(10), _ condition: () async throws -> Bool) async rethrows
    -> Bool
{
    let end = ContinuousClock.now + limit
    while ContinuousClock.now < end {
        if try await condition() { return true }
        try? await Task.sleep(for: .milliseconds(5))
    }
    return try await condition()
}
