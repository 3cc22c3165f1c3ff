import Idempotency
import NIOCore
import RPC
import Synchronization

/// Tokens that were good a moment ago, so that a caller in a hurry does not cost the user service a call each time.
///
/// Bounded twice: by ``lifetime`` and, in two generations, by ``countMax``.
final class TokenMemory: Sendable {
    /// How long a token that was withdrawn may still be let in.
    static let lifetime: Duration = .seconds(5)
    /// Tokens in one generation; a full one makes room by forgetting the one before.
    static let countMax = 4_096

    private struct Entry {
        let caller: Caller
        let forgottenAt: NIODeadline
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
        guard let entry, now < entry.forgottenAt, wallClock < entry.expiry else { return nil }
        return entry.caller
    }

    /// - Parameter expiry: when the token itself ends, in seconds since 1970.
    func remember(_ token: String, _ caller: Caller, expiry: Int64, now: NIODeadline = .now()) {
        let entry = Entry(caller: caller, forgottenAt: now + TimeAmount(Self.lifetime), expiry: expiry)
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
