import NIOCore

/// What a test waited for did not happen in time.
public struct Overdue: Error, CustomStringConvertible {
    public let description: String
}

/// Asks again and again until `condition` holds, so that no test sleeps for a guess.
///
/// - Throws: ``Overdue`` with `what` after `timeout`, or what `condition` throws.
public func eventually(
    _ what: @autoclosure () -> String, within timeout: Duration = .seconds(20), _ condition: () async throws -> Bool
) async throws {
    let deadline = NIODeadline.now() + TimeAmount(timeout)
    while try await !condition() {
        guard NIODeadline.now() < deadline else { throw Overdue(description: "not within \(timeout): \(what())") }
        try await Task.sleep(for: .milliseconds(10))
    }
}

extension Result where Failure == any Error {
    /// What `body` came to, so that a fixture can clean up before it throws on.
    public init(catching body: () async throws -> Success) async {
        do {
            self = .success(try await body())
        } catch {
            self = .failure(error)
        }
    }
}
