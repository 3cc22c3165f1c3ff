import Contracts
import Foundation
import RPC
import SwiftProtobuf
import TestSupport
import Transcoding

/// The places where programs read text from outside.
enum Places {
    /// Length of a text in a body: the limit less what surrounds the text.
    private static let bodyBytes = 1024 * 1024 - 1024
    /// Length of a field that is passed on to a service, over HTTP and gRPC: a quarter of a body. A whole body would
    /// take minutes in debug builds, and quadratic cost shows here too.
    private static let fieldBytes = 256 * 1024
    /// Length of a header: the limit of 16 KiB less the other headers.
    private static let headerBytes = 15_000
    /// How many times a header is sent; as many bytes as in a body would take too long.
    private static let headerTimes = 8

    // MARK: HTTP

    static func fields(of method: HTTPMethodFields, _ port: Int, _ token: String) -> [TextPlace] {
        let headers = [("content-type", "application/json"), ("authorization", "Bearer \(token)")]
        func place(
            _ name: String, _ bytes: Int, isShort: Bool, _ json: @escaping @Sendable (String) -> String
        ) -> TextPlace {
            TextPlace(name: "HTTP \(method.path) \(name)", bytes: bytes, isShortJSON: isShort) { text in
                try await WirePeer.http1(port, "POST", method.path, headers, body: json(text))
            }
        }
        var places = method.fields.map { field in
            place(field.path.map(\.name).joined(separator: "."), fieldBytes, isShort: false) { method.json(field, $0) }
        }
        // An unknown name on each level.
        if let first = method.fields.first {
            places.append(place("a name", bodyBytes, isShort: true) { method.json(first, $0, isName: true) })
        }
        if let nested = method.fields.first(where: { $0.path.count > 1 }) {
            places.append(place("a nested name", bodyBytes, isShort: true) { method.json(nested, $0, isName: true) })
        }
        return places
    }

    static func envelope(_ port: Int) -> [TextPlace] {
        let bodies: [(String, Bool, @Sendable (String) -> String)] = [
            ("service", false, { #"{"service":"\#($0)","method":"VesselService.Create"}"# }),
            ("method", false, { #"{"service":"vessel","method":"\#($0)"}"# }),
            ("request", false, { #"{"service":"vessel","method":"VesselService.Create","request":"\#($0)"}"# }),
            (
                "a number", true,
                { #"{"service":"vessel","method":"VesselService.Create","request":{"capacity":"\#($0)"}}"# }
            ),
            ("a name", true, { #"{"service":"vessel","\#($0)":1}"# }),
            ("not JSON", false, { "\($0)" }),
        ]
        return bodies.map { name, isShort, body in
            TextPlace(name: "/rpc \(name)", bytes: bodyBytes, isShortJSON: isShort) { text in
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

    /// Headers that the gateway, the admin port and the HTTP server read.
    static let httpHeaders = [
        "authorization", "token", "traceparent", "tracestate", "x-request-id", "idempotency-key", "content-type",
        "content-encoding", "x-forwarded-for", "host", "if-none-match", "if-match", "if-modified-since",
        "if-unmodified-since", "if-range", "range", "expect", "connection", "upgrade", "transfer-encoding",
        "content-length", "origin", "cookie", "te", "trailer", "date", "accept", "accept-encoding", "x-client-address",
    ]

    static func headers1(_ port: Int) -> [TextPlace] {
        // The value alone, and after the prefix that its readers look for.
        let values =
            httpHeaders.map { ($0, "") } + [
                ("authorization", "Bearer "), ("content-type", "application/json;"),
                ("content-type", "application/json;charset="),
                ("x-forwarded-for", "1.2.3.4, "), ("traceparent", "00-"), ("tracestate", "a="), ("host", "localhost:"),
                ("if-none-match", "\""), ("connection", "close, "), ("expect", "100-continue"),
            ]
        return values.flatMap { name, prefix in
            // A file is served for conditional requests, a method for all others.
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

    /// Metadata that the services read.
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

    /// Every text in every message that a program accepts.
    static func messages(_ client: RPCClient, of program: Program, in harbor: Harbor, _ token: String) -> [TextPlace] {
        let metadata: Metadata = ["authorization": "Bearer \(token)"]
        func places<Request: Message, Answer: Message>(
            _ method: RPC.Method<Request, Answer>, _ paths: [[Int]], _ needed: Request = Request()
        ) -> [TextPlace] {
            paths.map { path in
                TextPlace(name: "gRPC \(method.path) field \(path)", bytes: fieldBytes) { text in
                    // When a scalar field occurs twice, the last value counts.
                    let bytes: [UInt8] = try needed.serializedBytes()
                    let request = try Request(serializedBytes: bytes + Wire.text(path, text))
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
        func described<Request: Message, Answer: Message>(
            _ method: RPC.Method<Request, Answer>, _ needed: Request = Request()
        ) -> [TextPlace] {
            let message = Schema.contracts.message(named: Request.protoMessageName)
            return places(method, message.map(texts) ?? [], needed)
        }
        var all = places(HealthMethods.check, [[1]])
        switch program.port {
        case harbor.vessel.port:
            all += described(VesselMethods.create, vessel) + described(VesselMethods.get)
            all += described(VesselMethods.list)
            all += described(VesselMethods.update, .with { ($0.vessel, $0.updateMask.paths) = (vessel, ["name"]) })
            all += places(VesselMethods.reserve, [[1]]) + places(VesselMethods.release, [[1]])
        case harbor.user.port:
            all += described(UserMethods.create, user) + described(UserMethods.get, user)
            all += described(UserMethods.getAll) + described(UserMethods.auth, user)
            all += described(UserMethods.validateToken)
        case harbor.consignment.port:
            all += described(ConsignmentMethods.create, consignment) + described(ConsignmentMethods.get)
            all += described(ConsignmentMethods.cancel)
        default:
            all += places(EmailMethods.process, (1...5).map { [$0] }, event) + places(EmailMethods.get, [[1]])
        }
        return all
    }

    // Valid requests, so that no other rule hides the one for the tested field.
    private static let vessel = Vessel_Vessel.with {
        $0.name = "test"
        $0.capacity = 1
        $0.maxWeight = 1
    }
    private static let user = User_User.with {
        $0.id = "none"
        $0.name = "Ada"
        $0.email = "ada@example.com"
        $0.password = "correct horse"
    }
    private static let consignment = Consignment_Consignment.with {
        $0.weight = 1
        $0.containers = [Consignment_Container()]
    }
    private static let event = Email_UserCreated.with {
        $0.eventID = "event"
        $0.userID = "user"
        $0.name = "Ada"
        $0.email = "ada@example.com"
        $0.company = "BBC"
    }

    /// Paths of field numbers to the fields that hold texts.
    private static func texts(in message: MessageSchema) -> [[Int]] {
        message.fields.flatMap { field -> [[Int]] in
            switch field.kind {
            case .string: [[field.number]]
            case .message(let index): texts(in: Schema.contracts.message(index)).map { [field.number] + $0 }
            // Its paths are texts.
            case .fieldMask: [[field.number, 1]]
            case .bool, .int32, .int64, .enumeration, .timestamp: []
            }
        }
    }
}
