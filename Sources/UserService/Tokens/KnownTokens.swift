import Idempotency
import Storage

/// Tokens that were found good, so that they need not be parsed and checked again with every call.
///
/// It holds digests, from which no token can be read back. A token is forgotten when it expires, when the process ends
/// (and with it when the secrets change), or when its place is needed.
final class KnownTokens: Sendable {
    /// A digest of a token, to find it by.
    typealias Name = [UInt8]

    /// Locks, so that event loops seldom meet.
    private static let shardCount = 16
    /// Tokens in each shard, about 100 bytes each.
    private static let shardCapacity = 2_048

    private let shards = (0..<shardCount).map { _ in Monitor([Name: Int64](minimumCapacity: shardCapacity)) }

    static func name(of token: String) -> Name {
        SHA256.digest(token.utf8)
    }

    func contains(_ name: Name, nowSeconds: Int64) -> Bool {
        shard(of: name).withLock { known in
            guard let expiresAt = known[name] else { return false }
            if expiresAt > nowSeconds { return true }
            known[name] = nil
            return false
        }
    }

    func insert(_ name: Name, expiresAtSeconds: Int64) {
        shard(of: name).withLock { known in
            // Any one makes room, as good as at random: dictionaries keep their own order, which each process shuffles.
            if known.count >= Self.shardCapacity, let victim = known.first?.key { known[victim] = nil }
            known[name] = expiresAtSeconds
        }
    }

    /// Digests are as good as random, so any byte of them spreads evenly.
    private func shard(of name: Name) -> Monitor<[Name: Int64]> {
        shards[Int(name[0]) % Self.shardCount]
    }
}
