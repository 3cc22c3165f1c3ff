import Contracts
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import RPC
import TestSupport
import Testing

@testable import APIGateway

@Suite("POST /rpc")
struct RPCTests {
    @Test("the series' own line creates a vessel, with curl as it stands there")
    func series() async throws {
        try await GatewayFixture.run { fixture in
            let port = try #require(fixture.address.port)
            let body = #"""
                {"request": {"name": "test", "capacity": 200, "max_weight": 100000, "available": true}, "method": "VesselService.Create", "service": "vessel"}
                """#
            let answer = try await curl([
                "127.0.0.1:\(port)/rpc", "-XPOST", "-d", body, "-H", "Content-Type: application/json", "-s", "-4",
            ])
            let json = try #require(try JSONSerialization.jsonObject(with: Data(answer.utf8)) as? NSDictionary)
            let vessel: NSDictionary = ["name": "test", "capacity": 200, "max_weight": 100_000, "available": true]
            #expect(json == ["created": true, "vessel": vessel])
        }
    }

    @Test(
        "every way to name a service and a method leads to it",
        arguments: [
            ("vessel", "VesselService.Create", "/vessel.VesselService/Create"),
            ("shippy.vessel", "VesselService.FindAvailable", "/vessel.VesselService/FindAvailable"),
            ("user", "UserService.Create", "/user.UserService/Create"),
            ("auth", "Auth.Create", "/user.UserService/Create"),
            ("shippy.auth", "Auth.Auth", "/user.UserService/Auth"),
            ("shippy.user", "Auth.Auth", "/user.UserService/Auth"),
            ("auth", "UserService.Auth", "/user.UserService/Auth"),
            ("shippy.consignment", "ConsignmentService.Create", "/consignment.ConsignmentService/Create"),
        ])
    func names(service: String, method: String, path: String) async throws {
        try await GatewayFixture.run { fixture in
            let answer = try await fixture.rpc(#"{"service":"\#(service)","method":"\#(method)"}"#)
            #expect(answer.status == 200)
            #expect(fixture.services.seen.withLockedValue { $0.paths } == [path])
            let parts = method.split(separator: ".")
            let byPath = try await fixture.fetch("POST", "/\(service)/\(parts[0])/\(parts[1])")
            #expect(byPath.status == 200)
        }
    }

    @Test(
        "what is not for outside, or is not at all, is not found",
        arguments: [
            ("email", "EmailService.Get", "service \"email\" is not known"),
            ("shippy.email", "EmailService.Process", "service \"shippy.email\" is not known"),
            ("vessel", "Health.Check", "service \"vessel\" has no method \"Health.Check\""),
            ("grpc", "Health.Check", "service \"grpc\" is not known"),
            ("vessel", "VesselService.Delete", "service \"vessel\" has no method \"VesselService.Delete\""),
            ("vessel", "UserService.Auth", "service \"vessel\" has no method \"UserService.Auth\""),
            ("Vessel", "VesselService.Create", "service \"Vessel\" is not known"),
            ("shippy.shippy.vessel", "VesselService.Create", "service \"shippy.shippy.vessel\" is not known"),
            ("other.vessel", "VesselService.Create", "service \"other.vessel\" is not known"),
        ])
    func notFound(service: String, method: String, detail: String) async throws {
        try await GatewayFixture.run { fixture in
            let answer = try await fixture.rpc(#"{"service":"\#(service)","method":"\#(method)"}"#)
            #expect(try answer.isError(404, id: "shippy.api", detail))
            #expect(fixture.services.seen.withLockedValue { $0.paths.isEmpty })
        }
    }

    @Test("the namespace is a flag, also in the ids of errors")
    func namespace() async throws {
        try await GatewayFixture.run(configure: { $0.namespace = "port" }) { fixture in
            let known = try await fixture.rpc(#"{"service":"port.vessel","method":"VesselService.Create"}"#)
            #expect(known.status == 200)
            let unknown = try await fixture.rpc(#"{"service":"shippy.vessel","method":"VesselService.Create"}"#)
            #expect(try unknown.isError(404, id: "port.api", "service \"shippy.vessel\" is not known"))
        }
    }

    @Test("a request as a string, in lowerCamelCase, and as a form mean the same")
    func forms() async throws {
        try await GatewayFixture.run { fixture in
            let string =
                #"{"service":"vessel","method":"VesselService.Create","request":"{\"maxWeight\":7,\"ownerId\":\"é\"}"}"#
            let form =
                "service=vessel&method=VesselService.Create&request=%7B%22maxWeight%22:7,%22ownerId%22:%22%C3%A9%22%7D"
            let vessel: NSDictionary = ["max_weight": 7, "owner_id": "é"]
            let expected: NSDictionary = ["created": true, "vessel": vessel]
            #expect(try await fixture.rpc(string).json == expected)
            let type: HTTPHeaders = ["content-type": "application/x-www-form-urlencoded"]
            #expect(try await fixture.rpc(form, headers: type).json == expected)
            let direct = try await fixture.fetch(
                "POST", "/vessel/VesselService/Create", headers: ["content-type": "application/json; charset=UTF-8"],
                body: #"{"maxWeight":7,"owner_id":"é"}"#)
            #expect(try direct.json == expected)
            #expect(direct.headers["content-type"] == "application/json")
            #expect(direct.headers["content-length"] == "\(direct.body.utf8.count)")
        }
    }

    @Test(
        "a wrong field is refused with its path, before any service is asked",
        arguments: [
            (#"{"capacity":"many"}"#, "request.capacity: expected an int32", "capacity: expected an int32"),
            (#"{"capacity":"05"}"#, "request.capacity: expected an int32", "capacity: expected an int32"),
            (#"{"max_weight":1,"maxWeight":2}"#, "request.max_weight is given twice", "max_weight is given twice"),
            (
                #"{"colour":"red"}"#, "unknown field \"request.colour\" (vessel.Vessel has none)",
                "unknown field \"colour\" (vessel.Vessel has none)"
            ),
        ])
    func wrongField(request: String, inEnvelope: String, byPath: String) async throws {
        try await GatewayFixture.run { fixture in
            let answer = try await fixture.rpc(
                #"{"service":"vessel","method":"VesselService.Create","request":\#(request)}"#)
            #expect(try answer.isError(400, id: "shippy.api", inEnvelope))
            let direct = try await fixture.fetch("POST", "/vessel/VesselService/Create", body: request)
            #expect(try direct.isError(400, id: "shippy.api", byPath))
            #expect(fixture.services.seen.withLockedValue { $0.paths.isEmpty })
        }
    }

    @Test("only the listed headers are forwarded, and the request's id comes back")
    func headers() async throws {
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
        try await GatewayFixture.run { fixture in
            let answer = try await fixture.rpc(
                #"{"service":"vessel","method":"VesselService.Create"}"#,
                headers: [
                    "Content-Type": "application/json", "Authorization": "Bearer t", "Token": "u",
                    "traceparent": trace, "tracestate": "a=b", "X-Request-Id": "id-1", "Idempotency-Key": "k",
                    "cookie": "c", "x-forwarded-for": "1.2.3.4", "grpc-timeout": "1H", "te": "x", "tokem": "z",
                ])
            #expect(answer.headers["x-request-id"] == "id-1")
            let metadata = fixture.services.seen.withLockedValue { $0.metadata }
            let passed = [
                "authorization": "Bearer t", "token": "u", "traceparent": trace, "tracestate": "a=b",
                "x-request-id": "id-1", "idempotency-key": "k",
            ]
            for (name, value) in passed { #expect(metadata[name] == value) }
            for name in ["cookie", "x-forwarded-for", "tokem"] { #expect(metadata[name] == nil) }
            #expect(fixture.services.seen.withLockedValue { $0.remaining } <= .seconds(5))
        }
    }

    @Test(
        "a request id that is none is replaced, and none is made",
        arguments: ["", "a b", String(repeating: "a", count: 129)])
    func requestID(given: String) async throws {
        try await GatewayFixture.run { fixture in
            let answer = try await fixture.rpc(
                #"{"service":"vessel","method":"VesselService.Create"}"#, headers: ["x-request-id": given])
            let id = try #require(answer.headers["x-request-id"])
            #expect(id.count == 32 && id.allSatisfy(\.isHexDigit))
            #expect(fixture.services.seen.withLockedValue { $0.metadata["x-request-id"] } == id)
        }
    }

    @Test("a header that metadata can't carry is refused")
    func unprintable() async throws {
        try await GatewayFixture.run { fixture in
            let answer = try await fixture.rpc(
                #"{"service":"vessel","method":"VesselService.Create"}"#, headers: ["token": "é"])
            #expect(try answer.isError(400, id: "shippy.api", "header token: not printable ASCII"))
        }
    }

    @Test(
        "two different values of a forwarded header are refused, two equal ones are one",
        arguments: ["authorization", "token", "idempotency-key"])
    func repeated(name: String) async throws {
        try await GatewayFixture.run { fixture in
            let body = #"{"service":"vessel","method":"VesselService.Create"}"#
            func post(_ values: [String]) async throws -> Answer {
                try await fixture.rpc(body, headers: HTTPHeaders(values.map { (name, $0) }))
            }
            for values in [["a", "b"], ["a", ""], ["a", "a", "b"], ["é", "b"]] {
                let answer = try await post(values)
                #expect(try answer.isError(400, id: "shippy.api", "header \(name) is given twice"))
            }
            let paths = fixture.services.seen.withLockedValue { $0.paths }
            #expect(paths.isEmpty)
            #expect(try await post(["a", "a"]).status == 200)
            let metadata = fixture.services.seen.withLockedValue { $0.metadata }
            let values = metadata.filter { $0.name == name }.map { $0.value }
            #expect(values == ["a"])
        }
    }

    @Test(
        "a trace that is none is replaced and refuses nothing",
        arguments: [
            [:], ["traceparent": ""], ["traceparent": "00-1"], ["traceparent": "é", "tracestate": "a=b"],
            ["traceparent": "00-00000000000000000000000000000000-b7ad6b7169203331-01", "tracestate": "é"],
            ["traceparent": "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
            ["traceparent": String(repeating: "0", count: 4_000), "tracestate": String(repeating: "a", count: 4_000)],
        ] as [[String: String]])
    func malformedTrace(headers: [String: String]) async throws {
        try await GatewayFixture.run { fixture in
            var fields = HTTPHeaders([("content-type", "application/json")])
            for (name, value) in headers { fields.add(name: name, value: value) }
            let answer = try await fixture.rpc(
                #"{"service":"vessel","method":"VesselService.Create"}"#, headers: fields)
            #expect(answer.status == 200)
            let metadata = fixture.services.seen.withLockedValue { $0.metadata }
            let passed = try #require(metadata["traceparent"])
            #expect(passed.wholeMatch(of: /00-[0-9a-f]{32}-[0-9a-f]{16}-00/) != nil)
            #expect(!passed.contains("b7ad6b7169203331") && metadata["tracestate"] == nil)
        }
    }

    @Test(
        "space around a header's value is not forwarded",
        arguments: [("Bearer ", "Bearer"), (" \t t \t", "t"), (" ", "")])
    func trimmed(given: String, passed: String) async throws {
        try await GatewayFixture.run { fixture in
            let answer = try await fixture.rpc(
                #"{"service":"vessel","method":"VesselService.Create"}"#, headers: ["authorization": given])
            #expect(answer.status == 200)
            #expect(fixture.services.seen.withLockedValue { $0.metadata["authorization"] } == passed)
        }
    }

    private func curl(_ arguments: [String]) async throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["curl"] + arguments
        let output = Pipe()
        process.standardOutput = output
        let ended = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Void.self)
        process.terminationHandler = { _ in ended.succeed() }
        try process.run()
        try await ended.futureResult.get()
        return String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    }
}
