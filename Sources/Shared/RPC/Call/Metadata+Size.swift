extension Metadata {
    /// Largest header list of a call's metadata, in bytes. Servers accept 16 KiB, and the call's own fields (path,
    /// authority, deadline and so on) need up to 700 bytes.
    public static let headerListBytesMax = 16 * 1024 - 768

    /// Size as a header list, in bytes: name, value and 32 bytes for each pair (RFC 9113 section 6.5.2).
    public var headerListBytes: Int {
        reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + HTTP2Session.fieldOverheadBytes }
    }
}
