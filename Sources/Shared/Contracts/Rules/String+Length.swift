extension String {
    /// Whether there are at most `limit` characters, as Unicode counts them: the measure of every text in a request.
    package func hasAtMost(_ limit: Int) -> Bool {
        // No character has less than one byte, so that the long way is seldom gone.
        utf8.count <= limit || unicodeScalars.count <= limit
    }
}
