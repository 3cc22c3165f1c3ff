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
    /// - Parameter bytes: its stored size.
    /// - Returns: whether there is room for another.
    mutating func take(_ consignment: Consignment_Consignment, bytes: Int, limit: Int, bytesMax: Int) -> Bool {
        // Empty containers take few bytes on the wire, but a hundred times as many as objects.
        let elements = Self.elementsPerConsignment + Self.elementsPerContainer * consignment.containers.count
        let fits = byteCount + bytes <= bytesMax && elementCount + elements <= Self.elementsMax
        guard consignments.count < limit, consignments.isEmpty || fits else {
            hasMore = true
            return false
        }
        let isLarge = bytes > ConsignmentRules.recordBytesMax || elements > Self.elementsMax
        consignments.append(isLarge ? Self.listable(consignment) : consignment)
        byteCount += bytes
        elementCount += elements
        return true
    }

    /// The consignment, or only the parts that an answer can hold: an oversized one that another program stored must
    /// not block the way to those behind it.
    private static func listable(_ consignment: Consignment_Consignment) -> Consignment_Consignment {
        // The stored size may exceed the message's: a document may hold more, such as unknown fields.
        let isListable = consignment.containers.count <= ConsignmentRules.containersMax
        if isListable, let bytes: [UInt8] = try? consignment.serializedBytes(),
            bytes.count <= ConsignmentRules.recordBytesMax
        {
            return consignment
        }
        var outline = Consignment_Consignment()
        outline.id = consignment.id
        outline.weight = consignment.weight
        outline.status = consignment.status
        if consignment.hasCreatedAt { outline.createdAt = consignment.createdAt }
        outline.userID =
            consignment.userID.utf8.count <= ConsignmentRules.descriptionLengthMax ? consignment.userID : ""
        outline.vesselID =
            consignment.vesselID.utf8.count <= ConsignmentRules.descriptionLengthMax ? consignment.vesselID : ""
        return outline
    }

    static func == (left: Self, right: Self) -> Bool {
        left.consignments == right.consignments && left.hasMore == right.hasMore
    }
}
