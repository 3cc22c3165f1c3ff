import Idempotency
import RPC

/// Where the next page begins, as callers carry it. It holds a place and nothing else, so that it never goes stale.
enum PageToken {
    /// Tells our tokens from guesses, and these from a later form.
    private static let prefix = "c1"

    static func after(_ id: String) -> String { prefix + id }

    /// - Throws: ``ConsignmentError/invalid(_:_:)`` for what is no token of ours.
    static func id(in token: String) throws(ConsignmentError) -> String {
        let id = Substring(token.utf8.dropFirst(prefix.utf8.count))
        guard token.startsWithBytes(prefix), OrderedIdentifiers.isWellFormed(id) else {
            throw .invalid("page_token", "page_token is not one that was answered here")
        }
        return String(id)
    }
}
