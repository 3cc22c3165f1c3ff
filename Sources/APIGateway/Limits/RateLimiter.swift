import HTTP
import NIOConcurrencyHelpers
import NIOCore
import Synchronization

/// Limits the requests that each address makes a second, and its bursts. In a fixed amount of memory.
final class RateLimiter: Sendable {
    /// A burst is what an address may do in so many seconds.
    static let burstSeconds = 2
    static let rateRange = 1...1_000_000
    /// Connections that an address may have at least: browsers open six.
    static let connectionsMin = 16

    private static let shardCount = 16
    private static let addressesPerShard = 4_096

    private let interval: Int64
    private let credit: Int64
    private let proxies: TrustedProxies?
    private let clock: @Sendable () -> NIODeadline
    private let shards: [NIOLockedValueBox<AddressBuckets>]
    private let limited = Atomic(0)

    /// - Parameters:
    ///   - rate: requests a second.
    ///   - proxies: proxies whose forwarded addresses are trusted; `nil` trusts none.
    init(rate: Int, proxies: TrustedProxies?, clock: @escaping @Sendable () -> NIODeadline = { .now() }) {
        self.clock = clock
        interval = 1_000_000_000 / Int64(rate)
        credit = 1_000_000_000 * Int64(Self.burstSeconds)
        self.proxies = proxies
        shards = (0..<Self.shardCount).map { _ in
            NIOLockedValueBox(AddressBuckets(capacity: Self.addressesPerShard))
        }
    }

    /// Bounds the connections that an address may have open by the burst that it may make: more it could not use.
    ///
    /// Proxies that are believed about others bring the connections of many, and are not counted.
    static func connectionLimit(rate: Int, proxies: TrustedProxies?) -> AddressLimit {
        AddressLimit(connectionsMax: max(connectionsMin, rate * burstSeconds)) { address in
            guard let address = NetworkAddress(address), proxies?.isProxy(address) != true else { return nil }
            return key(of: address)
        }
    }

    /// Addresses of one caller have one key.
    private static func key(of address: NetworkAddress?) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(address?.caller)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    /// Requests above the rate, for a metric.
    var limitedCount: Int { limited.load(ordering: .relaxed) }

    /// Counts a request.
    ///
    /// - Returns: of a request above the rate the seconds after which to retry; `nil` of others.
    func limit(_ request: HTTPRequest) -> Int? {
        // Callers without an address share one budget.
        let peer = NetworkAddress(request.peer[...])
        let client = peer.map { proxies?.client(peer: $0, headers: request.headers) ?? $0 }
        let key = Self.key(of: client)
        // The low bits choose the place within a shard.
        let shard = shards[Int(key >> 60)]
        let instant = Int64(clock().uptimeNanoseconds)
        let wait = shard.withLockedValue { $0.take(key, now: instant, interval: interval, credit: credit) }
        guard let wait else { return nil }
        limited.wrappingAdd(1, ordering: .relaxed)
        return Int((wait + 999_999_999) / 1_000_000_000)
    }
}

/// A token bucket for each key, kept as one number: when it will be full again ("generic cell rate algorithm").
///
/// A key has a few places where it may be. When all are taken, the bucket that is full first makes room; most often it is
/// full already, and nothing is forgotten by it.
struct AddressBuckets: Sendable {
    private static let ways = 8

    private struct Slot {
        var key: UInt64 = 0
        /// Nanoseconds on the caller's clock; in the past, or 0, for a full bucket.
        var fullAt: Int64 = 0
    }

    private var slots: [Slot]

    /// - Parameter capacity: keys, rounded down to a multiple of 8.
    init(capacity: Int) {
        slots = Array(repeating: Slot(), count: max(1, capacity / Self.ways) * Self.ways)
    }

    /// Takes a token.
    ///
    /// - Parameters:
    ///   - interval: nanoseconds for a token to come.
    ///   - credit: nanoseconds' worth of tokens that a bucket holds.
    /// - Returns: nanoseconds until there is one, when there is none.
    mutating func take(_ key: UInt64, now: Int64, interval: Int64, credit: Int64) -> Int64? {
        let first = Int(key % UInt64(slots.count / Self.ways)) * Self.ways
        var chosen = first
        for index in first..<(first + Self.ways) {
            if slots[index].key == key {
                chosen = index
                break
            }
            if slots[index].fullAt < slots[chosen].fullAt { chosen = index }
        }
        let fullAt = slots[chosen].key == key ? max(now, slots[chosen].fullAt) : now
        let missing = fullAt + interval - now - max(credit, interval)
        if missing > 0 { return missing }
        slots[chosen] = Slot(key: key, fullAt: fullAt + interval)
        return nil
    }
}
