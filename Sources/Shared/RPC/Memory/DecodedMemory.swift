import SwiftProtobuf

/// Bounds on one message, for every encoding: protobuf over gRPC, JSON over HTTP.
public enum MessageLimits {
    /// Repeated elements, strings and nested messages in one message. The largest valid one, a consignment of 1,000
    /// containers with all their texts, has about 5,000. An empty element takes two bytes on the wire and a hundred in
    /// memory, so a limit on bytes alone bounds nothing.
    public static let elementsMax = 20_000
}

/// Memory that a message takes once it is decoded.
package enum DecodedMemory {
    /// Bytes counted for a decoded element: a message of four empty strings takes 80, the array that holds it has grown
    /// by doubling, and a text has a block of its own.
    package static let elementBytes = 200

    /// Reserves the memory that decoding these bytes needs, before they are decoded.
    ///
    /// - Returns: the reservation, to hold as long as the message lives; `nil` for a small message.
    /// - Throws: RESOURCE_EXHAUSTED when the message has too many elements or there is no room for it now.
    package static func reserve(
        for bytes: [UInt8], _ shape: MessageShape, of budget: MemoryBudget
    ) throws(Status) -> MemoryReservation? {
        guard bytes.count >= ElementCount.bytesMin else { return nil }
        let count = try elements(of: bytes, shape)
        guard let reservation = MemoryReservation(count * elementBytes + bytes.count, .elements, of: budget) else {
            throw .outOfMemory
        }
        return reservation
    }

    /// Number of elements.
    ///
    /// - Throws: RESOURCE_EXHAUSTED when there are too many.
    package static func elements(of bytes: [UInt8], _ shape: MessageShape) throws(Status) -> Int {
        let count = bytes.withUnsafeBytes { ElementCount.count($0, of: shape, max: MessageLimits.elementsMax) }
        guard count <= MessageLimits.elementsMax else { throw .tooManyElements(in: "the message") }
        return count
    }
}
