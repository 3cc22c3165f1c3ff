import RPC
import Runtime

/// The users who run the system, by their ids: an address proves nothing, as sign-up does not verify it.
struct Operators: Sendable {
    /// The role's name in tokens and answers.
    private static let role = "operator"
    private static let idsMax = 1_000

    private let ids: Set<ByteKey>

    init(ids: [String] = []) {
        self.ids = Set(ids.map { ByteKey($0) })
    }

    /// - Parameter variable: `OPERATORS`: ids with commas between them; `nil` where it is not set.
    /// - Throws: `ConfigurationError` for what can't be an id.
    init(variable: String?) throws(ConfigurationError) {
        var ids: [String] = []
        for part in (variable ?? "").utf8.split(separator: UInt8(ascii: ",")) {
            let id = String(Substring(part)).trimmingSpaces
            guard !id.isEmpty else { continue }
            guard id.utf8.count <= UserRules.idByteCountMax, id.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
                throw ConfigurationError(
                    "OPERATORS: '\(id.shortened())' is no user id; write ids with commas between them")
            }
            ids.append(id)
        }
        guard ids.count <= Self.idsMax else { throw ConfigurationError("OPERATORS: more than \(Self.idsMax) ids") }
        self.init(ids: ids)
    }

    func roles(of userID: String) -> [String] {
        ids.contains(ByteKey(userID)) ? [Self.role] : []
    }

    var count: Int { ids.count }
}

extension String {
    fileprivate var trimmingSpaces: String {
        let isSpace: (UInt8) -> Bool = {
            $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\n")
        }
        var text = utf8.drop(while: isSpace)
        while let last = text.last, isSpace(last) { text.removeLast() }
        return String(text) ?? ""
    }
}
