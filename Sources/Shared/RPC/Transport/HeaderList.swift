/// Header fields, laid out for nghttp2: all bytes in one array, so that a list costs two allocations at most and none
/// when it is used again.
package struct HeaderList: Sendable {
    struct Field {
        var nameStart: Int
        var nameLength: Int
        var valueStart: Int
        var valueLength: Int
        /// Kept out of the HPACK tables: it differs with every call, or is a secret (RFC 7541 section 7.1.3).
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
        let nameStart = bytes.count
        bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        let valueStart = bytes.count
        bytes.append(contentsOf: UnsafeBufferPointer(start: value.utf8Start, count: value.utf8CodeUnitCount))
        append(nameStart: nameStart, valueStart: valueStart, neverIndexed: false)
    }

    package mutating func add(_ name: StaticString, _ value: String, neverIndexed: Bool = false) {
        let nameStart = bytes.count
        bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        let valueStart = bytes.count
        bytes.append(contentsOf: value.utf8)
        append(nameStart: nameStart, valueStart: valueStart, neverIndexed: neverIndexed)
    }

    package mutating func add(_ name: String, _ value: String, neverIndexed: Bool = false) {
        let nameStart = bytes.count
        bytes.append(contentsOf: name.utf8)
        let valueStart = bytes.count
        bytes.append(contentsOf: value.utf8)
        append(nameStart: nameStart, valueStart: valueStart, neverIndexed: neverIndexed)
    }

    package mutating func add(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        let nameStart = bytes.count
        bytes.append(contentsOf: name)
        let valueStart = bytes.count
        bytes.append(contentsOf: value)
        append(nameStart: nameStart, valueStart: valueStart, neverIndexed: false)
    }

    private mutating func append(nameStart: Int, valueStart: Int, neverIndexed: Bool) {
        fields.append(
            Field(
                nameStart: nameStart, nameLength: valueStart - nameStart,
                valueStart: valueStart, valueLength: bytes.count - valueStart,
                neverIndexed: neverIndexed))
    }
}
