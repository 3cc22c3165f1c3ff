import NIOCore
import RPC

/// The bounds of a ``ConnectionPool``.
public struct PoolConfiguration: Sendable {
    /// Names the threads and the gauges, for example `vessels-read`.
    public var name: String
    /// Threads, each with a connection of its own; at least 1.
    public var threads: Int
    /// Calls that may wait for a thread; one more is shed with RESOURCE_EXHAUSTED.
    public var queueCapacity = 4096
    /// Longest wait for a thread; a call whose turn comes later fails with RESOURCE_EXHAUSTED. `nil`: only its deadline
    /// counts.
    public var waitMax: Duration?
    /// Longest wait in stores: of the 5 s that callers wait, it leaves enough to answer them. A shorter one would fail calls
    /// on a busy machine that could still be answered.
    public static let waitMaxOfStores: Duration = .seconds(4)
    /// Calls that a thread takes at once and runs as one batch. 1 where a call may take long, so that none waits behind it.
    public var batchSizeMax = 1
    /// While fewer calls than this wait for each thread that is awake, no other thread is woken: a wake costs more than a
    /// short call. 0 where calls block on a network, so that each has a thread at once.
    public var queuedPerWake = 0
    /// How long calls may wait for a lost connection before they fail with UNAVAILABLE. In an outage that lasts
    /// longer they fail at once.
    public var outageGrace: Duration = .seconds(1)
    /// Between attempts to connect.
    package var backoff = Backoff(
        first: .milliseconds(50), factor: 2, longest: .seconds(2), jitter: 0.5, lengthens: false)
    /// How long a thread may be idle before it pings its connection; `nil` for stores that can't go away.
    public var pingInterval: Duration?

    public var tracing = PoolTracing.operations

    public init(name: String, threads: Int) {
        self.name = name
        self.threads = threads
    }
}

/// A pool's gauges at one moment.
public struct PoolStatistics: Sendable, Equatable {
    public var name: String
    public var threads: Int
    /// Threads whose connection is up.
    public var connected: Int
    /// Calls that wait for a thread.
    public var queued: Int
    /// Calls that a thread has taken.
    public var running: Int
    public var queueCapacity: Int
    /// Calls that were shed so far, as too many waited or had waited for too long.
    public var shed = 0
    /// How long one more call would wait, by how long calls took lately.
    public var expectedWait = Duration.zero
    /// How long calls waited for a thread, of those that a thread has taken.
    public var waits = WaitCounts()
}

/// How long calls waited for a thread, as counts of ranges. Plain values: the pool's lock guards them.
public struct WaitCounts: Sendable, Equatable {
    /// Upper bounds of the ranges, in nanoseconds; what is above the last has a count of its own.
    public static let boundsNanoseconds: [Int64] = [
        100_000, 250_000, 1_000_000, 2_500_000, 10_000_000, 25_000_000, 100_000_000, 250_000_000, 1_000_000_000,
        5_000_000_000,
    ]

    /// Per range, not cumulative; one more than there are bounds.
    public private(set) var counts = [UInt64](repeating: 0, count: boundsNanoseconds.count + 1)
    public private(set) var nanoseconds: UInt64 = 0

    public init() {}

    mutating func add(_ wait: TimeAmount) {
        var index = 0
        while index < Self.boundsNanoseconds.count, wait.nanoseconds > Self.boundsNanoseconds[index] { index += 1 }
        counts[index] += 1
        nanoseconds &+= UInt64(max(0, wait.nanoseconds))
    }
}
