import NIOConcurrencyHelpers

@testable import RPC

/// Callers that make one call after the other until they are stopped.
final class CallLoad: Sendable {
    /// Calls that succeeded.
    let answered: Counter
    private let isOver: NIOLockedValueBox<Bool>
    private let callers: [Task<[Status], Never>]

    /// - Parameters:
    ///   - pause: of each caller between two calls.
    ///   - call: makes one call; by default one that is retried only if the server surely did not start on it.
    init(
        _ client: RPCClient, callers count: Int = 8, pause: Duration = .milliseconds(2),
        _ call: @escaping @Sendable (RPCClient) async -> Status = { await $0.status(of: TestMethods.echo) }
    ) {
        let answered = Counter()
        let isOver = NIOLockedValueBox(false)
        self.answered = answered
        self.isOver = isOver
        callers = (0..<count).map { _ in
            Task {
                var failures: [Status] = []
                while !isOver.withLockedValue({ $0 }) {
                    let status = await call(client)
                    if status == .ok { answered.increment() } else { failures.append(status) }
                    try? await Task.sleep(for: pause)
                }
                return failures
            }
        }
    }

    /// Lets the calls in flight end.
    ///
    /// - Returns: the calls that failed.
    func stop() async -> [Status] {
        isOver.withLockedValue { $0 = true }
        var failures: [Status] = []
        for caller in callers { failures += await caller.value }
        return failures
    }
}
