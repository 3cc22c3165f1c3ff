/// Handling of a clock that is set back: work that is due at a time of day must not wait until the clock reaches that
/// time again.
///
/// The time at which work is due is stored with the time at which that was decided. When the decision lies in the
/// future, the work becomes due as long after now as it was after the decision: a lease keeps its length, and so does
/// the pause before a retry.
package enum ClockStep {
    /// Smallest difference that is a step: clocks of replicas may differ by less.
    package static let secondsMin: Int64 = 60
    /// Interval at which to look for such work.
    package static let interval: Duration = .seconds(5)
}
