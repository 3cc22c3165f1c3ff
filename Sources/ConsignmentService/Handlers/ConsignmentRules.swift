import Contracts
import Idempotency
import RPC

/// What a request must keep to.
enum ConsignmentRules {
    static let descriptionLengthMax = 1_000
    static let containersMax = 1_000
    /// Of each text of a container.
    static let containerTextLengthMax = 200
    static let pageSizeDefault = 100
    static let pageSizeMax = 1_000
    /// Bytes of a page. Pages of large consignments end early: the answer is one message of at most 4 MiB, and up to
    /// six times that as JSON.
    static let pageBytesMax = 1024 * 1024

    /// Bytes of one consignment in an answer. The largest that the rules above allow has 3.3 MB.
    static let recordBytesMax = 3_500 * 1024
    /// Bytes of its texts as JSON, where a control character is six. The rules above allow 4.9 MB; the gateway holds an answer
    /// of up to 18 MiB with the default memory limit.
    static let recordJSONBytesMax = 5_000_000

    /// `id` and `vessel_id` are not looked at: the service gives both, and callers of old send a vessel along.
    static func check(_ consignment: Consignment_Consignment) throws(ConsignmentError) {
        guard consignment.weight > 0 else { throw .invalid("weight", "weight must be above 0") }
        guard !consignment.containers.isEmpty else { throw .invalid("containers", "containers must not be empty") }
        guard consignment.containers.count <= containersMax else {
            throw .invalid("containers", "containers must have at most \(containersMax) entries")
        }
        guard consignment.description_p.hasAtMost(descriptionLengthMax) else {
            throw .invalid("description", "description must have at most \(descriptionLengthMax) characters")
        }
        for (index, container) in consignment.containers.enumerated() {
            let texts = [
                ("id", container.id), ("customer_id", container.customerID), ("origin", container.origin),
                ("user_id", container.userID),
            ]
            for (name, text) in texts where !text.hasAtMost(containerTextLengthMax) {
                let field = "containers[\(index)].\(name)"
                throw .invalid(field, "\(field) must have at most \(containerTextLengthMax) characters")
            }
        }
    }

    /// How many a page may hold.
    static func pageSize(_ wanted: Int32) throws(ConsignmentError) -> Int {
        guard wanted >= 0 else { throw .invalid("page_size", "page_size must not be negative") }
        return wanted == 0 ? pageSizeDefault : min(Int(wanted), pageSizeMax)
    }
}

/// Where the next page begins, as callers carry it. It holds a place and nothing else, so that it never goes stale.
enum PageToken {
    /// Tells our tokens from guesses, and these from a later form.
    private static let prefix = "c1"
    /// In place of ``prefix`` with an id that another program gave: any text.
    private static let prefixOfOthers = "c2"

    static func after(_ id: String) -> String {
        OrderedIdentifiers.isWellFormed(id) ? prefix + id : prefixOfOthers + ListedID.bounded(id)
    }

    /// - Throws: ``ConsignmentError/invalid(_:_:)`` for what is no token of ours.
    static func id(in token: String) throws(ConsignmentError) -> String {
        let id = String(Substring(token.utf8.dropFirst(prefix.utf8.count)))
        let isOurs = token.startsWithBytes(prefix) && OrderedIdentifiers.isWellFormed(id)
        let isOthers = token.startsWithBytes(prefixOfOthers) && !id.isEmpty && id.utf8.count <= ListedID.bytesMax
        guard isOurs || isOthers else {
            throw .invalid("page_token", "page_token is not one that was answered here")
        }
        return id
    }
}
