import SwiftProtobuf

extension Message {
    /// The message in `bytes`, without the fields that we don't know, at whatever depth.
    ///
    /// Kept, they would be stored and returned, and no rule about a request would see them.
    package init(knownFieldsOf bytes: [UInt8]) throws {
        var options = BinaryDecodingOptions()
        options.discardUnknownFields = true
        try self.init(serializedBytes: bytes, options: options)
    }
}
