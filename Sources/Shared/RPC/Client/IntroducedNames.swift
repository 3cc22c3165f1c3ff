/// Which names a connection has sent of the fields that have another value in each call.
///
/// The first value of each goes into the table that HPACK keeps on both sides of a connection, and its name with it.
/// Later values do not, as they would only fill it: they are literals behind the number of that name, which neither side
/// has to encode, decode or allocate again. The fields here are no secrets; tokens and keys never go into the table.
///
/// Source: RFC 7541 sections 6.2.1, 6.2.3 and 7.1.3.
struct IntroducedNames {
    private var hasTimeout = false
    private var hasRequestID = false
    private var hasTrace = false

    /// Whether this value of `grpc-timeout` goes into the table.
    mutating func introduceTimeout() -> Bool { Self.isFirst(&hasTimeout) }

    /// Whether this value of a field of metadata goes into the table.
    mutating func introduce(_ name: String) -> Bool {
        if name.hasSameBytes(as: "x-request-id") { return Self.isFirst(&hasRequestID) }
        if name.hasSameBytes(as: "traceparent") { return Self.isFirst(&hasTrace) }
        return false
    }

    private static func isFirst(_ isKnown: inout Bool) -> Bool {
        defer { isKnown = true }
        return !isKnown
    }
}
