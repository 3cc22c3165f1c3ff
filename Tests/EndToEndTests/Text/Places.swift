import Contracts
import Foundation
import RPC
import SwiftProtobuf
import TestSupport

/// A method as `GET /services` lists it, with the fields that hold texts or numbers.
struct HTTPMethodFields {
    struct Field {
        /// Such as `containers`, `id`; lists have one element.
        var path: [(name: String, isList: Bool)]
    }

    let path: String
    let fields: [Field]

    static func all(in services: [String: Any]) throws -> [HTTPMethodFields] {
        let listed = services["services"] as? [[String: Any]] ?? []
        return listed.flatMap { $0["methods"] as? [[String: Any]] ?? [] }.map { method in
            HTTPMethodFields(
                path: method["path"] as? String ?? "", fields: fields(of: method["request"] as? [String: Any] ?? [:]))
        }
    }

    private static func fields(of message: [String: Any]) -> [Field] {
        (message["fields"] as? [[String: Any]] ?? []).flatMap { field -> [Field] in
            let items = field["items"] as? [String: Any]
            let step = (name: field["name"] as? String ?? "", isList: items != nil)
            guard let inner = (items ?? field)["message"] as? [String: Any] else { return [Field(path: [step])] }
            // The message itself, with a name that it has not, and what it has.
            return fields(of: inner).map { Field(path: [step] + $0.path) }
        }
    }

    /// The request in which a field holds `text`; with `isName`, its last name is that instead.
    static func json(_ field: Field, _ text: String, isName: Bool = false) -> String {
        var path = field.path
        if isName, let last = path.popLast() { path.append((name: text, isList: last.isList)) }
        let value = isName ? "1" : "\"\(text)\""
        return path.reversed().reduce(value) { json, step in
            step.isList ? "{\"\(step.name)\":[\(json)]}" : "{\"\(step.name)\":\(json)}"
        }
    }
}

/// The places where texts from outside are read.
enum Places {
    /// Of a body: the limit less what is around the text.
    private static let bodyBytes = 1024 * 1024 - 512
    /// Of a header: the limit of 16 KiB less the other headers.
    private static let headerBytes = 15_000
    /// How often headers are sent: about as many bytes as a body has would take long.
    private static let headerTimes = 12
    /// Of a message over gRPC: the limit of 4 MiB less what is around the text.
    private static let messageBytes = 4 * 1024 * 1024 - 512

    // MARK: HTTP

    static func fields(of method: HTTPMethodFields, _ port: Int, _ token: String) -> [TextPlace] {
        let headers = [("content-type", "application/json"), ("authorization", "Bearer \(token)")]
        func place(_ name: String, _ json: @escaping @Sendable (String) -> String) -> TextPlace {
            TextPlace(name: "HTTP \(method.path) \(name)", bytes: bodyBytes) { text in
                try await WirePeer.http1(port, "POST", method.path, headers, body: json(text))
            }
        }
        let names = method.fields.map { field in field.path.map(\.name).joined(separator: ".") }
        var places = zip(names, method.fields).map { name, field in
            place(name) { HTTPMethodFields.json(field, $0) }
        }
        // An unknown name on each level.
        if let first = method.fields.first {
            places.append(place("a name") { HTTPMethodFields.json(first, $0, isName: true) })
        }
        if let nested = method.fields.first(where: { $0.path.count > 1 }) {
            places.append(place("a nested name") { HTTPMethodFields.json(nested, $0, isName: true) })
        }
        return places
    }

    static func envelope(_ port: Int) -> [TextPlace] {
        let bodies: [(String, @Sendable (String) -> String)] = [
            ("service", { #"{"service":"\#($0)","method":"VesselService.Create"}"# }),
            ("method", { #"{"service":"vessel","method":"\#($0)"}"# }),
            ("request", { #"{"service":"vessel","method":"VesselService.Create","request":"\#($0)"}"# }),
            ("a name", { #"{"service":"vessel","\#($0)":1}"# }),
            ("not JSON", { "\($0)" }),
        ]
        return bodies.map { name, body in
            TextPlace(name: "/rpc \(name)", bytes: bodyBytes) { text in
                try await WirePeer.http1(port, "POST", "/rpc", [("content-type", "application/json")], body: body(text))
            }
        }
    }

    static func form(_ port: Int) -> [TextPlace] {
        let bodies: [(String, @Sendable (String) -> String)] = [
            ("service", { "service=\($0)&method=VesselService.Create" }),
            ("method", { "service=vessel&method=\($0)" }),
            ("request", { "service=vessel&method=VesselService.Create&request=\($0)" }),
            ("a name", { "service=vessel&\($0)=1" }),
        ]
        return bodies.map { name, body in
            TextPlace(name: "form \(name)", bytes: bodyBytes) { text in
                let type = "application/x-www-form-urlencoded"
                return try await WirePeer.http1(port, "POST", "/rpc", [("content-type", type)], body: body(text))
            }
        }
    }

    /// Those that the gateway, the admin port and the HTTP server look at.
    static let httpHeaders = [
        "authorization", "token", "traceparent", "tracestate", "x-request-id", "idempotency-key", "content-type",
        "content-encoding", "x-forwarded-for", "host", "if-none-match", "if-match", "if-modified-since",
        "if-unmodified-since", "if-range", "range", "expect", "connection", "upgrade", "transfer-encoding",
        "content-length", "origin", "cookie", "te", "trailer", "date", "accept", "accept-encoding", "x-client-address",
    ]

    static func headers1(_ port: Int) -> [TextPlace] {
        // The value alone, and behind what its readers look for first.
        let values =
            httpHeaders.map { ($0, "") } + [
                ("authorization", "Bearer "), ("content-type", "application/json;"),
                ("content-type", "application/json;charset="),
                ("x-forwarded-for", "1.2.3.4, "), ("traceparent", "00-"), ("tracestate", "a="), ("host", "localhost:"),
                ("if-none-match", "\""), ("connection", "close, "), ("expect", "100-continue"),
            ]
        return values.flatMap { name, prefix in
            // A file answers conditional requests, a method all others.
            [("GET", "/", ""), ("POST", "/vessel/VesselService/FindAvailable", "{}")].map { method, path, body in
                TextPlace(name: "\(method) \(name): \(prefix)", bytes: headerBytes, times: headerTimes) { text in
                    try await WirePeer.http1(port, method, path, [(name, prefix + text)], body: body)
                }
            }
        }
    }

    static func targets1(_ port: Int) -> [TextPlace] {
        let targets: [(String, String, @Sendable (String) -> String)] = [
            ("a path", "GET", { "/\($0)" }), ("a path", "POST", { "/\($0)" }), ("a query", "POST", { "/rpc?\($0)" }),
            ("a service", "POST", { "/\($0)/VesselService/Create" }),
            ("a method", "POST", { "/vessel/VesselService/\($0)" }),
            ("an encoded path", "GET", { "/%61\($0)" }), ("an authority", "GET", { "http://\($0)/rpc" }),
            ("a scheme", "GET", { "\($0)://localhost/rpc" }), ("no path", "OPTIONS", { "\($0)" }),
        ]
        return targets.map { name, method, target in
            TextPlace(name: "\(port) \(method) \(name)", bytes: headerBytes, times: headerTimes) { text in
                try await WirePeer.http1(port, method, target(text))
            }
        }
    }

    static func headers2(_ port: Int) -> [TextPlace] {
        let names = httpHeaders + [":path", ":authority", ":method", ":scheme"]
        return names.map { name in
            TextPlace(name: "HTTP/2 \(name)", bytes: headerBytes, times: headerTimes) { text in
                let value = name == ":path" ? "/\(text)" : text
                var fields = [
                    (":method", "POST"), (":scheme", "http"), (":path", "/vessel/VesselService/FindAvailable"),
                    (":authority", "localhost"),
                ]
                if let index = fields.firstIndex(where: { $0.0 == name }) {
                    fields[index].1 = value
                } else {
                    fields.append((name, value))
                }
                return try await WirePeer.http2(port, fields)
            }
        }
    }

    // MARK: gRPC

    /// Those that the services look at.
    static let metadataNames = [
        "authorization", "token", "traceparent", "tracestate", "x-request-id", "idempotency-key", "x-client-address",
        "content-type", "te", "user-agent", "grpc-timeout", "grpc-encoding", "grpc-accept-encoding",
        "grpc-previous-rpc-attempts", "x-unknown", "x-unknown-bin",
    ]

    static func metadata(_ port: Int, _ path: String) -> [TextPlace] {
        let values =
            metadataNames.map { ($0, "") } + [("authorization", "Bearer "), (":path", path), (":authority", "")]
        return values.map { name, prefix in
            TextPlace(name: "gRPC \(path) \(name)", bytes: headerBytes, times: headerTimes) { text in
                var fields = Frame.requestFields(path)
                if let index = fields.firstIndex(where: { $0.0 == name }) {
                    fields[index].1 = prefix + text
                } else {
                    fields.append((name, prefix + text))
                }
                return try await WirePeer.http2(port, fields, message: [])
            }
        }
    }

    /// Every text in every message that a program takes.
    static func messages(_ client: RPCClient, of program: Program, in harbor: Harbor, _ token: String) -> [TextPlace] {
        let metadata: Metadata = ["authorization": "Bearer \(token)"]
        func places<Request: Message, Answer: Message>(
            _ method: RPC.Method<Request, Answer>, _ paths: [[Int]]
        ) -> [TextPlace] {
            paths.map { path in
                TextPlace(name: "gRPC \(method.path) field \(path)", bytes: messageBytes) { text in
                    let request = try Request(serializedBytes: Wire.text(path, text))
                    do {
                        let deadline = Deadline.after(.seconds(60))
                        _ = try await client.call(method, request, metadata: metadata, deadline: deadline)
                        return "OK"
                    } catch let status as Status {
                        return status.code == .deadlineExceeded ? nil : status.description
                    }
                }
            }
        }
        func described<Request: DescribedMessage, Answer: Message>(_ method: RPC.Method<Request, Answer>) -> [TextPlace]
        {
            places(method, texts(in: Request.messageDescription))
        }
        var all = places(HealthMethods.check, [[1]])
        switch program.port {
        case harbor.vessel.port: all += described(VesselMethods.create)
        case harbor.user.port:
            all += described(UserMethods.create) + described(UserMethods.get) + described(UserMethods.getAll)
            all += described(UserMethods.auth) + described(UserMethods.validateToken)
        case harbor.consignment.port: all += described(ConsignmentMethods.create) + described(ConsignmentMethods.get)
        default:
            all += places(EmailMethods.process, (1...5).map { [$0] }) + places(EmailMethods.get, [[1]])
        }
        return all
    }

    /// The numbers of the fields that hold texts.
    private static func texts(in message: MessageDescription) -> [[Int]] {
        message.fields.enumerated().flatMap { index, field -> [[Int]] in
            switch field.kind {
            case .string: [[index + 1]]
            case .message(let inner): texts(in: inner).map { [index + 1] + $0 }
            case .bool, .int32: []
            }
        }
    }
}

/// The names of headers that the sources look up.
enum HeadersInSources {
    /// Read in answers of services and of collectors, not in requests.
    static let ofAnswers: Set<String> = ["grpc-status", ":status", "grpc-message", "retry-after"]

    static func names() throws -> Set<String> {
        var root = #filePath as NSString
        for _ in 0..<4 { root = root.deletingLastPathComponent as NSString }
        let sources = (root as String) + "/Sources"
        var names: Set<String> = []
        let patterns = [
            #/(?:headers|metadata|self|fields)(?:\.first\(name: |\[|\[canonicalForm: )"([a-z-]+)"\]?/#,
            #/isSameFieldName\(as: "([a-z-]+)"\)/#, #/name\.equals\("([a-z:-]+)"\)/#,
            #/case \d+: passed = "([a-z-]+)"/#,
            #/static let (?:header|attempts) = "([a-z-]+)"/#,
        ]
        let walk = FileManager.default.enumerator(atPath: sources)
        while let file = walk?.nextObject() as? String {
            guard file.hasSuffix(".swift"),
                ["RPC", "HTTP", "APIGateway", "Health", "Idempotency"].contains(where: { file.contains($0) })
            else { continue }
            let text = try String(contentsOfFile: "\(sources)/\(file)", encoding: .utf8)
            for pattern in patterns { for match in text.matches(of: pattern) { names.insert(String(match.1)) } }
        }
        // A value that is compared, not a name.
        return names.subtracting(["chunked", "100-continue"]).subtracting(["error"])
    }
}
