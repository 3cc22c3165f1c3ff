import RPC

/// What protoc says of the files in Protos/, and of those that they import.
package enum DescriptorSet {
    /// A serialized google.protobuf.FileDescriptorSet. Decoded each time: keep what is made of it.
    package static var bytes: [UInt8] {
        let text = UnsafeBufferPointer(start: base64.utf8Start, count: base64.utf8CodeUnitCount)
        // It is generated, and a test decodes it. Without it every reader fails.
        return Base64.decode(text) ?? []
    }
}
