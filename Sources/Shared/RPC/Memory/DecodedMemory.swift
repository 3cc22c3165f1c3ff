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
    /// A small message has at most so many elements and less than so many bytes. Decoded it takes some 10 KiB at most;
    /// the limit on running calls bounds what all of them take.
    static let smallElementsMax = 64
    static let smallBytes = 4 * 1024

    /// Whether a message has few bytes and few elements. Costs next to nothing for the shortest, which can't have many.
    static func isSmall(_ bytes: [UInt8], _ shape: MessageShape) -> Bool {
        if bytes.count <= smallElementsMax * ElementCount.elementBytesMin { return true }
        guard bytes.count < smallBytes else { return false }
        let count = bytes.withUnsafeBytes { ElementCount.count($0, of: shape, max: smallElementsMax) }
        return count <= smallElementsMax
    }

    /// Reserves the memory that decoding these bytes needs, before they are decoded.
    ///
    /// - Returns: the reservation, to hold as long as the message lives; `nil` for a small message.
    /// - Throws: RESOURCE_EXHAUSTED when the message has too many elements or there is no room for it now.
    package static func reserve(
        for bytes: [UInt8], _ shape: MessageShape, of budget: MemoryBudget
    ) throws(Status) -> MemoryReservation? {
        guard !isSmall(bytes, shape) else { return nil }
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
