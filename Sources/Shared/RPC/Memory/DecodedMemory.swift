import SwiftProtobuf

/// What a message costs once it is decoded.
package enum DecodedMemory {
    /// Of an element as an object, in bytes: a message of four empty strings is 80, the array that it is in has grown by
    /// doubling, and a text has a block of its own.
    package static let elementBytes = 200

    /// Takes the memory that decoding these bytes needs, before it is done.
    ///
    /// - Returns: what to hold for as long as the message lives; `nil` for a small one.
    /// - Throws: RESOURCE_EXHAUSTED when the message has too many elements, or there is no room for it now.
    package static func reserve(
        for bytes: [UInt8], of budget: MemoryBudget
    ) throws(Status) -> MemoryReservation? {
        guard bytes.count >= ElementCount.bytesMin else { return nil }
        let count = try elements(of: bytes)
        guard let reservation = MemoryReservation(count * elementBytes + bytes.count, .elements, of: budget) else {
            throw .outOfMemory
        }
        return reservation
    }

    /// The number of elements.
    ///
    /// - Throws: RESOURCE_EXHAUSTED when there are too many.
    package static func elements(of bytes: [UInt8]) throws(Status) -> Int {
        let count = bytes.withUnsafeBytes { ElementCount.count($0, max: MessageLimits.elementsMax) }
        guard count <= MessageLimits.elementsMax else {
            throw Status(
                .resourceExhausted,
                "the message has more than \(MessageLimits.elementsMax) elements (repeated fields, texts and messages in it)"
            )
        }
        return count
    }
}
