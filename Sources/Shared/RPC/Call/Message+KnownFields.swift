import SwiftProtobuf

extension Message {
    /// Decodes the message in `bytes` without its unknown fields, at any depth.
    ///
    /// Unknown fields would be stored and returned without any rule having checked them.
    package init(knownFieldsOf bytes: [UInt8]) throws {
        var options = BinaryDecodingOptions()
        options.discardUnknownFields = true
        try self.init(serializedBytes: bytes, options: options)
    }
}
