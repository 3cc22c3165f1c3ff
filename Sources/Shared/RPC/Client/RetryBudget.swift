import Synchronization

/// Bounds retries to a share of all calls, so that a brown-out is not multiplied.
///
/// Each call adds a tenth of a token, each retry takes one; at most `tokensMax` are kept. Safe from any thread.
/// Source: gRFC A6, "Throttling Retry Attempts and Hedged RPCs", whose ratio and bound these are.
final class RetryBudget: Sendable {
    private static let tenthsPerCall = 1
    private static let tenthsPerRetry = 10

    private let tenthsMax: Int
    private let tenths: Atomic<Int>

    init(tokensMax: Int = 100) {
        tenthsMax = tokensMax * 10
        tenths = Atomic(tokensMax * 10)
    }

    func callBegan() {
        if tenths.load(ordering: .relaxed) < tenthsMax {
            tenths.wrappingAdd(Self.tenthsPerCall, ordering: .relaxed)
        }
    }

    /// Counts a call that is made for a call that our caller retries: it multiplies load as our own retries do, and takes
    /// a token as they do, if need be as a debt.
    func retryBegan() {
        if tenths.load(ordering: .relaxed) > -tenthsMax {
            tenths.wrappingSubtract(Self.tenthsPerRetry, ordering: .relaxed)
        }
    }

    func takeRetry() -> Bool {
        if tenths.wrappingSubtract(Self.tenthsPerRetry, ordering: .relaxed).newValue >= 0 { return true }
        tenths.wrappingAdd(Self.tenthsPerRetry, ordering: .relaxed)
        return false
    }
}
