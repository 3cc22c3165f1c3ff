import RPC

/// What becomes of an event that could not be delivered.
///
/// An outage must not use an event's tries up: with the longest wait between them, they last for more than three days.
/// What the mail service will never take is set aside at once, and so is what failed all its tries; nothing is deleted.
struct RelayPolicy: Sendable {
    enum Decision: Equatable {
        case retry(after: Duration)
        /// Set aside until somebody requeues it.
        case bury
    }

    var waitFirst: Duration = .seconds(1)
    var waitMax: Duration = .seconds(300)
    /// Tries of an event, the first included: 1000 at 5 minutes are three and a half days.
    var triesMax = 1_000
    /// Each wait is shortened at random by up to this part, so that events that failed together spread.
    var jitter = 0.5

    /// - Parameters:
    ///   - attempts: tries that came to nothing before this one.
    ///   - random: 0 to 1, at random.
    func decide(after status: Status, attempts: Int, random: Double) -> Decision {
        switch status.code {
        case .invalidArgument, .outOfRange: return .bury
        default: break
        }
        guard attempts + 1 < triesMax else { return .bury }
        let wait = min(waitMax, waitFirst * (1 << min(attempts, 20)))
        return .retry(after: wait * (1 - jitter * random))
    }
}
