import Contracts
import HTTP
import NIOCore
import NIOHTTP1
import RPC
import TestSupport
import Testing

@testable import APIGateway

@Suite("Errors")
struct ErrorTests {
    @Test(
        "each gRPC status has its HTTP status, and its text goes through",
        arguments: [
            (Status.Code.invalidArgument, 400, "Bad Request"), (.failedPrecondition, 400, "Bad Request"),
            (.outOfRange, 400, "Bad Request"), (.unauthenticated, 401, "Unauthorized"),
            (.permissionDenied, 403, "Forbidden"), (.notFound, 404, "Not Found"), (.alreadyExists, 409, "Conflict"),
            (.aborted, 409, "Conflict"), (.resourceExhausted, 429, "Too Many Requests"),
            (.cancelled, 499, "Client Closed Request"), (.unimplemented, 501, "Not Implemented"),
            (.unavailable, 503, "Service Unavailable"), (.deadlineExceeded, 504, "Gateway Timeout"),
        ])
    func mapping(code: Status.Code, http: Int, reason: String) async throws {
        try await GatewayFixture.run { fixture in
            let answer = try await fixture.rpc(
                #"{"service":"vessel","method":"VesselService.Create","request":{"name":"status \#(code.rawValue) no \"x\" é"}}"#
            )
            #expect(answer.reason == reason)
            #expect(try answer.isError(http, id: "shippy.vessel", "no \"x\" é"))
            #expect(answer.headers["retry-after"] == "7")
            #expect(answer.headers["www-authenticate"] == (http == 401 ? "Bearer" : nil))
        }
    }

    @Test(
        "what goes wrong inside is not told",
        arguments: ["status 13 secret query", "status 2 secret query", "status 15 secret query", "crash"])
    func inside(name: String) async throws {
        try await GatewayFixture.run { fixture in
            let answer = try await fixture.rpc(
                #"{"service":"vessel","method":"VesselService.Create","request":{"name":"\#(name)"}}"#)
            #expect(try answer.isError(500, id: "shippy.vessel", "internal error"))
            #expect(!answer.body.contains("secret"))
        }
    }

    @Test("a method that the service does not have yet is 501")
    func unimplemented() async throws {
        try await GatewayFixture.run { fixture in
            let answer = try await fixture.rpc(#"{"service":"consignment","method":"ConsignmentService.Get"}"#)
            #expect(answer.status == 501)
        }
    }

    @Test("a service that is not there is 503 without its address, one that is too slow 504")
    func upstream() async throws {
        try await GatewayFixture.run(configure: {
            $0.timeout = .milliseconds(1_500)
            $0.connectWait = .milliseconds(100)
            // Nothing listens on port 1.
            $0.upstreams[1].address = HostPort(host: "127.0.0.1", port: 1)
        }) { fixture in
            let absent = try await fixture.rpc(#"{"service":"user","method":"UserService.Get"}"#)
            #expect(absent.status == 503)
            #expect(!absent.body.contains("127.0.0.1"))
            let slow = try await fixture.rpc(
                #"{"service":"vessel","method":"VesselService.Create","request":{"name":"wait"}}"#)
            #expect(slow.status == 504)
            #expect(try slow.json["id"] as? String == "shippy.vessel")
        }
    }

    @Test("a caller that goes away cancels the call at the service")
    func cancellation() async throws {
        try await GatewayFixture.run(configure: { $0.http.halfClosedTimeout = .milliseconds(50) }) { fixture in
            let call = Task {
                try await fixture.rpc(
                    #"{"service":"vessel","method":"VesselService.Create","request":{"name":"wait"}}"#)
            }
            try await eventually("the call") { fixture.services.seen.withLockedValue { $0.paths.count == 1 } }
            // The fixture's client has no cancellation; draining the gateway cuts its connection off.
            await fixture.gateway.drain(timeout: .milliseconds(10))
            try await eventually("the cancellation") { fixture.services.seen.withLockedValue { $0.cancelled == 1 } }
            _ = await call.result
        }
    }

    @Test("a wait that is no number of seconds is no header")
    func retryAfter() {
        for (value, expected) in [("120", "120"), ("soon", nil), ("", nil), ("1\r\nx: y", nil)] as [(String, String?)] {
            let status = Status(.unavailable, "", metadata: ["retry-after": value])
            #expect(GatewayError(status, service: "vessel").retryAfter == expected)
        }
    }

    @Test("429 says when to retry, unless the message itself has too many elements")
    func tooManyElements() {
        let busy = GatewayError(Status(.resourceExhausted, "busy"), service: "vessel")
        #expect(busy.code == 429 && busy.retryAfter == "1" && busy.details == [.retryInfo(milliseconds: 1_000)])
        let tooMany = GatewayError(Status.tooManyElements(in: "the message"), service: "vessel")
        #expect(tooMany.code == 429 && tooMany.retryAfter == nil)
        #expect(tooMany.details == [.errorInfo(reason: "TOO_MANY_ELEMENTS")])
        let response = tooMany.response(namespace: "shippy")
        #expect(response.headers.first(name: "retry-after") == nil)
    }

    @Test(
        "the server's own rejections have the same shape",
        arguments: [
            (HTTPRejection.malformed, 400, "the request is not valid HTTP"),
            (.notImplemented, 501, "the method or the transfer coding is not known"),
            (.timeout, 408, "the request took too long to send"),
            (.bodyTooLarge, 413, "the body is larger than is allowed"),
            (.headersTooLarge, 431, "the header is larger than is allowed"),
            (.versionNotSupported, 505, "the version of HTTP is not supported; HTTP/1.1 and HTTP/2 are"),
        ])
    func rejections(rejection: HTTPRejection, code: Int, detail: String) {
        let response = GatewayError(rejection).response(namespace: "shippy")
        #expect(response.status.code == code)
        #expect(
            String(buffer: response.body).contains(
                "\"id\": \"shippy.api\", \"code\": \(code), \"detail\": \"\(detail)\""))
    }

    @Test("bodies and headers over the limit, and bytes that are no HTTP, are rejected in the gateway's shape")
    func limits() async throws {
        try await GatewayFixture.run { fixture in
            let large = try await fixture.rpc(String(repeating: " ", count: 1024 * 1024 + 1))
            #expect(try large.isError(413, id: "shippy.api", "the body is larger than is allowed"))
            let header = try await fixture.fetch(
                "GET", "/healthz", headers: ["x": String(repeating: "a", count: 17_000)])
            #expect(try header.isError(431, id: "shippy.api", "the header is larger than is allowed"))
            let malformed = try await fixture.fetch("GET", "nowhere")
            #expect(try malformed.isError(400, id: "shippy.api", "the request is not valid HTTP"))
            for answer in [large, header, malformed] {
                #expect(answer.headers["access-control-allow-origin"] == "*")
                #expect(answer.headers["connection"] == "close")
            }
        }
    }

    @Test(
        "a content type that is not JSON or a form is 415",
        arguments: [
            ["content-type": "text/plain"], ["content-type": "application/json; charset=latin1"],
            ["content-type": "application/json", "content-encoding": "gzip"],
            ["content-type": "multipart/form-data; boundary=x"], ["content-type": ""],
        ] as [HTTPHeaders])
    func mediaType(headers: HTTPHeaders) async throws {
        try await GatewayFixture.run { fixture in
            let answer = try await fixture.rpc("{}", headers: headers)
            #expect(answer.status == 415)
            #expect(try answer.json["id"] as? String == "shippy.api")
        }
    }
}
