extension String {
    /// Whether the text has at most `limit` characters, counted as Unicode scalars (not grapheme clusters): the measure
    /// of every text in a request.
    package func hasAtMost(_ limit: Int) -> Bool {
        // A scalar has one to four bytes, so that few texts need to be counted, and none of megabytes.
        utf8.count <= limit || (utf8.count <= 4 * limit && unicodeScalars.count <= limit)
    }
}
