import Contracts
import RPC

/// Bounds on a stored consignment in an answer: one of another program may be larger than a message, and must not block the
/// way to those behind it.
extension Consignment_Consignment {
    /// Whether an answer can hold all of it, also as JSON. True of all that keep to ``ConsignmentRules``.
    var fitsAnswer: Bool {
        guard id.utf8.count <= ListedID.bytesMax, containers.count <= ConsignmentRules.containersMax else {
            return false
        }
        let bytes = sumOfTexts { $0.utf8.count }
        // No byte is more than six as JSON.
        if bytes <= ConsignmentRules.recordJSONBytesMax / 6 { return true }
        guard bytes <= ConsignmentRules.recordBytesMax else { return false }
        let jsonBytes = sumOfTexts { text in
            var text = text
            return text.withUTF8 { UnsafeRawBufferPointer($0).escapedJSONBytes }
        }
        return jsonBytes <= ConsignmentRules.recordJSONBytesMax
    }

    /// Without what may be large.
    var outline: Consignment_Consignment {
        func short(_ text: String) -> String {
            text.utf8.count <= ConsignmentRules.descriptionLengthMax ? text : ""
        }
        var outline = Consignment_Consignment()
        outline.id = ListedID.bounded(id)
        outline.weight = weight
        outline.status = status
        if hasCreatedAt { outline.createdAt = createdAt }
        outline.userID = short(userID)
        outline.vesselID = short(vesselID)
        return outline
    }

    private func sumOfTexts(_ size: (String) -> Int) -> Int {
        var sum = size(id) + size(description_p) + size(vesselID) + size(userID)
        for container in containers {
            sum += size(container.id) + size(container.customerID) + size(container.origin) + size(container.userID)
        }
        return sum
    }
}
