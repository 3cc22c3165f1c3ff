import RPC

/// Matching of the entity tags in `If-Match` and `If-None-Match` (RFC 9110 sections 8.8.3 and 13.1).
enum EntityTags {
    enum Comparison {
        /// Weak tags never match.
        case strong
        /// `W/` is ignored.
        case weak
    }

    /// Whether a tag of the lists, or `*`, matches; `nil` when there is no list.
    ///
    /// A list is read up to the first element that is no tag.
    ///
    /// - Parameters:
    ///   - lists: the values of one header.
    ///   - etag: a strong tag, with its quotes.
    static func match(_ lists: [String], _ etag: String, by comparison: Comparison) -> Bool? {
        lists.isEmpty ? nil : lists.contains { contains($0, etag, comparison) }
    }

    private static func contains(_ list: String, _ etag: String, _ comparison: Comparison) -> Bool {
        var rest = list.trimmedOfBlanks.utf8
        if rest.elementsEqual(CollectionOfOne(UInt8(ascii: "*"))) { return true }
        let quote = UInt8(ascii: "\"")
        while true {
            // Empty list elements are ignored (section 5.6.1.2).
            rest = rest.drop { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
            let isWeak = rest.starts(with: "W/".utf8)
            if isWeak { rest = rest.dropFirst(2) }
            // A comma may be part of a tag.
            guard rest.first == quote, let end = rest.dropFirst().firstIndex(of: quote) else { return false }
            let tag = rest[...end]
            rest = rest[end...].dropFirst()
            if tag.elementsEqual(etag.utf8), comparison == .weak || !isWeak { return true }
        }
    }
}
