import Contracts
import RPC

/// Consignments of one answer, as callers see them.
struct ConsignmentPage: Sendable, Equatable {
    var consignments: [Consignment_Consignment] = []
    /// Whether there are more behind the last.
    var hasMore = false

    /// Elements of a page: somewhat fewer than any message may have (``MessageLimits/elementsMax``).
    static let elementsMax = 18_000
    private static let elementsPerConsignment = 8
    private static let elementsPerContainer = 5

    private var byteCount = 0
    private var elementCount = 0

    init() {}

    /// Takes the next one in order.
    ///
    /// - Parameters:
    ///   - consignment: ``Booking/shown``, which an answer can hold however large the stored one is.
    ///   - bytes: its stored size.
    /// - Returns: whether there is room for another.
    mutating func take(_ consignment: Consignment_Consignment, bytes: Int, limit: Int, bytesMax: Int) -> Bool {
        // Empty containers take few bytes on the wire, but a hundred times as many as objects.
        let elements = Self.elementsPerConsignment + Self.elementsPerContainer * consignment.containers.count
        let fits = byteCount + bytes <= bytesMax && elementCount + elements <= Self.elementsMax
        guard consignments.count < limit, consignments.isEmpty || fits else {
            hasMore = true
            return false
        }
        consignments.append(consignment)
        byteCount += bytes
        elementCount += elements
        return true
    }

    static func == (left: Self, right: Self) -> Bool {
        left.consignments == right.consignments && left.hasMore == right.hasMore
    }
}
