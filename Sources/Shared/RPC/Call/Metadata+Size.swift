extension Metadata {
    /// The bytes of a header list that a call may use for its metadata. Servers take 16 KiB, and the call's own fields
    /// (path, authority, deadline and so on) need up to 700 bytes.
    public static let headerListBytesMax = 16 * 1024 - 768

    /// What it takes of a header list: name, value and 32 bytes for each pair (RFC 9113 section 6.5.2).
    public var headerListBytes: Int {
        reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + HTTP2Session.fieldOverheadBytes }
    }
}
