import Idempotency
import NIOCore
import RPC
import Synchronization

/// A cache of callers whose tokens were verified a moment ago, so that not every call costs the user service one.
///
/// Bounded twice: by ``lifetime`` and, in two generations, by ``countMax``.
final class VerifiedCallerCache: Sendable {
    /// How long a token that was revoked may still be accepted.
    static let lifetime: Duration = .seconds(5)
    /// Tokens in one generation; a full one evicts the one before.
    static let countMax = 4_096

    private struct Entry {
        let caller: Caller
        let evictedAt: NIODeadline
        /// The token's own, in seconds since 1970.
        let expiry: Int64
    }

    private struct Generations {
        var young: [ByteKey: Entry] = [:]
        var old: [ByteKey: Entry] = [:]
    }

    private let generations = Mutex(Generations())

    /// The caller whose token this is; `nil` when it has to be asked for.
    func caller(_ token: String, now: NIODeadline = .now(), wallClock: Int64 = WallClock.seconds) -> Caller? {
        let key = ByteKey(token)
        let entry = generations.withLock { $0.young[key] ?? $0.old[key] }
        guard let entry, now < entry.evictedAt, wallClock < entry.expiry else { return nil }
        return entry.caller
    }

    /// Caches a caller for ``lifetime``.
    ///
    /// - Parameter expiry: when the token itself ends, in seconds since 1970.
    func insert(_ token: String, _ caller: Caller, expiry: Int64, now: NIODeadline = .now()) {
        let entry = Entry(caller: caller, evictedAt: now + TimeAmount(Self.lifetime), expiry: expiry)
        generations.withLock {
            if $0.young.count >= Self.countMax {
                $0.old = $0.young
                $0.young = [:]
            }
            $0.young[ByteKey(token)] = entry
        }
    }

    var count: Int { generations.withLock { $0.young.count + $0.old.count } }
}
