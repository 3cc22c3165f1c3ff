import Foundation

/// A method as `GET /services` lists it, with the fields that hold texts or numbers.
struct HTTPMethodFields {
    struct Field {
        /// For instance `containers`, `id`; a list has one element.
        var path: [(name: String, isList: Bool)]
    }

    let path: String
    /// Type of the request message, for instance `vessel.Vessel`.
    let type: String
    let fields: [Field]

    /// Fields that a valid request needs, so that no other rule hides the one for the tested field; by message.
    private static let needed: [String: [(name: String, value: String)]] = [
        "vessel.Vessel": [("name", "\"test\""), ("capacity", "1"), ("max_weight", "1")],
        "user.User": [
            ("name", "\"Ada\""), ("email", "\"ada@example.com\""), ("password", "\"correct horse\""),
            ("id", "\"none\""),
        ],
        "consignment.Consignment": [("weight", "1"), ("containers", "[{}]")],
    ]

    static func all(in services: [String: Any]) throws -> [HTTPMethodFields] {
        let listed = services["services"] as? [[String: Any]] ?? []
        return listed.flatMap { $0["methods"] as? [[String: Any]] ?? [] }.map { method in
            let request = method["request"] as? [String: Any] ?? [:]
            return HTTPMethodFields(
                path: method["path"] as? String ?? "", type: request["type"] as? String ?? "",
                fields: fields(of: request))
        }
    }

    private static func fields(of message: [String: Any]) -> [Field] {
        (message["fields"] as? [[String: Any]] ?? []).flatMap { field -> [Field] in
            let items = field["items"] as? [String: Any]
            let step = (name: field["name"] as? String ?? "", isList: items != nil)
            guard let inner = (items ?? field)["message"] as? [String: Any] else { return [Field(path: [step])] }
            return fields(of: inner).map { Field(path: [step] + $0.path) }
        }
    }

    /// A request in which a field holds `text`; with `isName`, the field's last name is `text` instead.
    func json(_ field: Field, _ text: String, isName: Bool = false) -> String {
        var path = field.path
        if isName, let last = path.popLast() { path.append((name: text, isList: last.isList)) }
        var members = isName ? "1" : "\"\(text)\""
        for (index, step) in path.enumerated().reversed() {
            let value = index == path.count - 1 ? members : "{\(members)}"
            members = "\"\(step.name)\":" + (step.isList ? "[\(value)]" : value)
        }
        for other in Self.needed[type] ?? [] where other.name != field.path.first?.name {
            members += ",\"\(other.name)\":\(other.value)"
        }
        return "{\(members)}"
    }
}

/// Names of headers that the sources look up.
enum HeadersInSources {
    /// Headers read in answers of services and of collectors, not in requests.
    static let ofAnswers: Set<String> = ["grpc-status", ":status", "grpc-message", "retry-after"]

    static func names() throws -> Set<String> {
        var root = #filePath as NSString
        for _ in 0..<4 { root = root.deletingLastPathComponent as NSString }
        let sources = (root as String) + "/Sources"
        var names: Set<String> = []
        let patterns = [
            #/(?:headers|metadata|self|fields)(?:\.first\(name: |\[|\[canonicalForm: )"([a-z-]+)"\]?/#,
            #/name\.equals\("([a-z:-]+)"\)/#,
            #/name\.hasSameBytes\(asAnyCaseOf: "([a-z-]+)"\)/#,
            #/static let (?:header|attempts) = "([a-z-]+)"/#,
        ]
        let walk = FileManager.default.enumerator(atPath: sources)
        while let file = walk?.nextObject() as? String {
            guard file.hasSuffix(".swift"),
                ["RPC", "HTTP", "APIGateway", "Health", "Idempotency"].contains(where: { file.contains($0) })
            else { continue }
            let text = try String(contentsOfFile: "\(sources)/\(file)", encoding: .utf8)
            for pattern in patterns { for match in text.matches(of: pattern) { names.insert(String(match.1)) } }
            guard file.hasSuffix("HTTPFields.swift") else { continue }
            for match in text.matches(of: #/case \.\w+: "([a-z-]+)"/#) { names.insert(String(match.1)) }
        }
        // Compared values, not names.
        return names.subtracting(["chunked", "100-continue", "https"])
    }
}
