import Idempotency
import Storage

/// A cache of verified tokens, so that they need not be parsed and checked again with every call.
///
/// It holds digests, from which no token can be read back. A token is evicted when it expires, when the process ends
/// (and with it when the secrets change), or when its place is needed.
final class VerifiedTokenCache: Sendable {
    /// A digest of a token, to find it by.
    typealias Digest = [UInt8]

    /// Locks, so that event loops seldom meet.
    private static let shardCount = 16
    /// Tokens in each shard, about 100 bytes each.
    private static let shardCapacity = 2_048

    private let shards = (0..<shardCount).map { _ in Monitor([Digest: Int64](minimumCapacity: shardCapacity)) }

    static func digest(of token: String) -> Digest {
        SHA256.digest(token.utf8)
    }

    func contains(_ digest: Digest, nowSeconds: Int64) -> Bool {
        shard(of: digest).withLock { expiries in
            guard let expiresAt = expiries[digest] else { return false }
            if expiresAt > nowSeconds { return true }
            expiries[digest] = nil
            return false
        }
    }

    func insert(_ digest: Digest, expiresAtSeconds: Int64) {
        shard(of: digest).withLock { expiries in
            // Evicts any one, as good as at random: dictionaries keep their own order, which each process shuffles.
            if expiries.count >= Self.shardCapacity, let victim = expiries.first?.key { expiries[victim] = nil }
            expiries[digest] = expiresAtSeconds
        }
    }

    /// Digests are as good as random, so any byte of them spreads evenly.
    private func shard(of digest: Digest) -> Monitor<[Digest: Int64]> {
        shards[Int(digest[0]) % Self.shardCount]
    }
}
