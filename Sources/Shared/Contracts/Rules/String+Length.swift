extension String {
    /// Whether there are at most `limit` characters, as Unicode counts them (scalars, not what is drawn as one): the
    /// measure of every text in a request.
    package func hasAtMost(_ limit: Int) -> Bool {
        // A character has one to four bytes, so that few texts need be counted, and none of megabytes.
        utf8.count <= limit || (utf8.count <= 4 * limit && unicodeScalars.count <= limit)
    }
}
