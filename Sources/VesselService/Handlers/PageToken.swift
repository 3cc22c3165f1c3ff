import RPC

/// Where the next page begins, as callers carry it. It holds a place and nothing else, so that it never goes stale.
enum PageToken {
    /// Tells our tokens from guesses, and these from a later form.
    private static let prefix = "v1"
    /// Another program's ids may be longer than ours.
    private static let idBytesMax = 16 * 1024

    /// Ids may be any text, and tokens are text too.
    static func after(_ id: String) -> String { prefix + id }

    /// - Throws: ``VesselError/invalid(_:_:)`` for what is no token of ours.
    static func id(in token: String) throws(VesselError) -> String {
        let id = String(Substring(token.utf8.dropFirst(prefix.utf8.count)))
        guard token.startsWithBytes(prefix), !id.isEmpty, id.utf8.count <= idBytesMax else {
            throw .invalid("page_token", "page_token is not one that was answered here")
        }
        return id
    }
}
