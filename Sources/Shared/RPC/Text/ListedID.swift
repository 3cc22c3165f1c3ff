/// Ids of stored records, as lists show them and page tokens carry them.
///
/// Ours are short. Those of records that other programs stored may have any length, and have to fit an answer and a request.
package enum ListedID {
    /// The longest id that a call finds a record by, in UTF-8 bytes.
    package static let bytesMax = 16 * 1024
    /// Sorts behind all other characters.
    private static let end = "\u{10ffff}"

    /// The id or, in place of a longer one than ``bytesMax``, a text that sorts behind all ids that begin like it: so that
    /// the page after it goes on behind them.
    package static func bounded(_ id: String) -> String {
        let bytes = id.utf8
        guard bytes.count > bytesMax else { return id }
        var cut = bytes.index(bytes.startIndex, offsetBy: bytesMax - end.utf8.count)
        while cut > bytes.startIndex, bytes[cut] & 0xc0 == 0x80 { cut = bytes.index(before: cut) }
        return String(id[..<cut]) + end
    }
}
