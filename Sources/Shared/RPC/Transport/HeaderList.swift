/// Header fields, laid out for nghttp2: all bytes in one array, so that a list costs two allocations at most and none
/// when it is used again.
package struct HeaderList: Sendable {
    struct Field {
        var nameStart: Int
        var nameLength: Int
        var valueStart: Int
        var valueLength: Int
        /// Kept out of the HPACK tables: a secret, or a value that differs with every call and whose name is known or not
        /// worth it (RFC 7541 section 7.1.3).
        var neverIndexed: Bool
    }

    private(set) var bytes: [UInt8] = []
    private(set) var fields: [Field] = []

    package init() {}

    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        fields.removeAll(keepingCapacity: true)
    }

    package mutating func add(_ name: StaticString, _ value: StaticString) {
        append(Self.bytes(of: name), Self.bytes(of: value), neverIndexed: false)
    }

    package mutating func add(_ name: StaticString, _ value: String, neverIndexed: Bool = false) {
        append(Self.bytes(of: name), value.utf8, neverIndexed: neverIndexed)
    }

    package mutating func add(_ name: String, _ value: String, neverIndexed: Bool = false) {
        append(name.utf8, value.utf8, neverIndexed: neverIndexed)
    }

    package mutating func add(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        append(name, value, neverIndexed: false)
    }

    @inline(__always)
    private static func bytes(of text: StaticString) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    /// Inlined, so that each kind of text is copied as what it is.
    @inline(__always)
    private mutating func append(
        _ name: some Collection<UInt8>, _ value: some Collection<UInt8>, neverIndexed: Bool
    ) {
        let nameStart = bytes.count
        bytes.append(contentsOf: name)
        let valueStart = bytes.count
        bytes.append(contentsOf: value)
        fields.append(
            Field(
                nameStart: nameStart, nameLength: valueStart - nameStart,
                valueStart: valueStart, valueLength: bytes.count - valueStart,
                neverIndexed: neverIndexed))
    }
}
