import RPC
import SwiftProtobuf

/// What a caller claims with an `idempotency-key`: this request, under this key, is one and the same wherever it comes again.
package struct IdempotencyClaim: Sendable, Equatable {
    /// The header's name.
    package static let header = Metadata.idempotencyKey
    /// Longer keys are invalid.
    package static let keyBytesMax = 255
    /// How long a key is kept; an hour more than promised, for clocks differ.
    package static let retentionSeconds: Int64 = 25 * 3600

    /// SHA-256 over method, caller and key: what the key is stored under. Neither key nor token can be read back from it.
    package let id: [UInt8]
    /// SHA-256 of the request: tells a repeat from another request with the same key.
    package let fingerprint: [UInt8]

    package init(id: [UInt8], fingerprint: [UInt8]) {
        self.id = id
        self.fingerprint = fingerprint
    }

    /// The claim that a call carries; `nil` when it carries no key.
    ///
    /// - Parameter caller: whose key it is; without one, whoever shows the same token.
    /// - Throws: INVALID_ARGUMENT for a key that is empty or longer than ``keyBytesMax``.
    package init?(_ request: some Message, caller: String? = nil, _ context: RequestContext) throws {
        guard let key = context.metadata[Self.header] else { return nil }
        guard (1...Self.keyBytesMax).contains(key.utf8.count) else {
            throw Status.invalid(Self.header, "\(Self.header) must have 1 to \(Self.keyBytesMax) bytes")
        }
        // Digests have a fixed length, so that no caller can craft parts that run into each other.
        var scope = SHA256.digest(context.path.utf8)
        scope += SHA256.digest((caller ?? context.metadata.bearerToken ?? "").utf8)
        scope += SHA256.digest(key.utf8)
        id = SHA256.digest(scope)
        var options = BinaryEncodingOptions()
        options.useDeterministicOrdering = true
        let bytes: [UInt8] = try request.serializedBytes(options: options)
        fingerprint = SHA256.digest(bytes)
    }

    /// Whether a stored fingerprint belongs to this request.
    ///
    /// - Throws: ABORTED when it belongs to another.
    package func checkRepeat(of stored: [UInt8]) throws {
        guard stored == fingerprint else {
            throw Status(.aborted, "the \(Self.header) was used for another request", reason: "KEY_USED_BEFORE")
        }
    }
}
