import NIOCore

/// Refusing calls that could not be answered in time, before anything is done for them.
extension ServerConnection {
    /// What a refused caller is told: to come back a little later, and not all at the same moment.
    private static let refusals: [Status] = (1...4).map { seconds in
        Status(
            .resourceExhausted, "the service is overloaded; try again in \(seconds) s",
            metadata: ["retry-after": "\(seconds)"])
    }

    /// Whether the call may start; if not, it is answered.
    func admits(_ stream: ServerStream, _ route: ServerRoute, now: NIODeadline) -> Bool {
        guard let method = route.admission, let admission, admission.admit(method, now: now) != nil else { return true }
        let place = Int(truncatingIfNeeded: now.uptimeNanoseconds >> 10) & 3
        answer(stream, .status(Self.refusals[place]))
        return false
    }
}
