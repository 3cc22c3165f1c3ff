import NIOCore
import RPC

/// What a worker knows about its deliveries and decides, without tasks or clocks.
///
/// A server that can't be talked to, or won't talk to us, stands in the way of every mail alike. So the worker pauses as
/// a whole, longer each time, and then tries with one mail: neither is the server flooded nor an account locked.
struct DeliveryState {
    /// After the first fault; doubles up to `longest`, give or take a fifth.
    static let pause: Backoff = {
        var pause = Backoff()
        pause.first = .milliseconds(500)
        pause.factor = 2
        pause.longest = .seconds(30)
        return pause
    }()

    private let concurrencyMax: Int
    private(set) var inFlight = 0
    /// Faults in a row.
    private(set) var faults = 0
    private var pausedUntil: NIODeadline?

    init(concurrencyMax: Int) {
        self.concurrencyMax = concurrencyMax
    }

    /// Whether another mail may be claimed now; counts it when so.
    mutating func begin(now: NIODeadline) -> Bool {
        if let pausedUntil, now < pausedUntil { return false }
        guard inFlight < (faults > 0 ? 1 : concurrencyMax) else { return false }
        inFlight += 1
        return true
    }

    mutating func end() { inFlight -= 1 }

    /// The server dealt with a mail, whatever it said of it.
    mutating func serverAnswered() {
        faults = 0
        pausedUntil = nil
    }

    /// - Parameter random: 0 ..< 1.
    /// - Returns: how long no mail is tried. Mails that were in flight together count as one fault.
    mutating func faulted(now: NIODeadline, random: Double) -> Duration {
        if let pausedUntil, now < pausedUntil { return .nanoseconds((pausedUntil - now).nanoseconds) }
        faults += 1
        let wait = Self.pause.wait(after: faults, random: random)
        pausedUntil = now + TimeAmount(wait)
        return wait
    }
}

/// When a mail that a server did not take is tried again, and how long.
enum RetryRules {
    /// A mail that waits for an answer about itself: 1 s, 3 s, 9 s … up to an hour, give or take a fifth.
    static let postponed: Backoff = {
        var backoff = Backoff()
        backoff.first = .seconds(1)
        backoff.factor = 3
        backoff.longest = .seconds(3_600)
        return backoff
    }()

    /// How long after it was ordered a mail is given up, as mail servers do (RFC 5321, 4.5.4.1).
    static let lifetime: Duration = .seconds(5 * 86_400)
}
