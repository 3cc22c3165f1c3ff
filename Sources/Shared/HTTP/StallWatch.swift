import NIOCore

/// Tells how long a connection has been waiting for the same thing, from being looked at now and then.
///
/// Reading the clock and arming a timer for every request would cost more than the timeouts are worth; a look every
/// few hundred milliseconds finds the same connections a little later.
struct StallWatch {
    /// What a connection waits for.
    enum Wait: Equatable {
        /// The next request.
        case idle
        /// The rest of a request.
        case request
        /// Its own responder.
        case responder
        /// Its own responder, while the peer may be gone.
        case responderHalfClosed
        /// The peer closing.
        case linger
    }

    private var wait = Wait.idle
    private var progress = -1
    private var since = NIODeadline.uninitialized

    /// How long `wait` has lasted without `progress` changing.
    mutating func elapsed(_ wait: Wait, progress: Int, now: NIODeadline) -> TimeAmount {
        if wait != self.wait || progress != self.progress {
            self.wait = wait
            self.progress = progress
            since = now
        }
        return now - since
    }
}

extension NIODeadline {
    fileprivate static let uninitialized = NIODeadline.uptimeNanoseconds(0)
}
