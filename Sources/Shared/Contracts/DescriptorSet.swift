import RPC

/// What protoc says of .proto files, and of those that they import.
package struct DescriptorSet: Sendable {
    private let base64: StaticString

    /// - Parameter base64: what protoc wrote; it is generated, and only read when ``bytes`` is asked for.
    package init(base64: StaticString) {
        self.base64 = base64
    }

    /// A serialized google.protobuf.FileDescriptorSet. Decoded each time: keep what is made of it.
    package var bytes: [UInt8] {
        let text = UnsafeBufferPointer(start: base64.utf8Start, count: base64.utf8CodeUnitCount)
        // It is generated, and a test decodes it. Without it every reader fails.
        return Base64.decode(text) ?? []
    }
}
