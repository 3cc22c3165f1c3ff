import Foundation
import HTTP
import NIOCore
import NIOHTTP1
import RPC
import TestSupport
import Testing

@testable import APIGateway

@Suite("What HTTP means at the gateway")
struct SemanticsTests {
    private static let create = #"{"service": "vessel", "method": "VesselService.Create", "request": {"name": "x"}}"#

    @Test("an encoded letter is the letter, an encoded slash is no separator")
    func paths() async throws {
        try await GatewayFixture.run { fixture in
            let encoded = try await fixture.fetch("POST", "/%72pc", body: Self.create)
            #expect(encoded.status == 200)
            let method = "/vessel/Vessel%53ervice/Cr%65ate"
            #expect(try await fixture.fetch("POST", method, body: #"{"name": "x"}"#).status == 200)
            for path in ["/vessel/VesselService%2FCreate", "/%2Frpc", "/vessel%2fVesselService%2fCreate", "/%252Frpc"] {
                #expect(try await fixture.fetch("POST", path, body: Self.create).status == 404, "\(path)")
            }
        }
    }

    @Test(
        "OPTIONS and 405 say the same of a path",
        arguments: ["/rpc", "/vessel/VesselService/Create", "/healthz", "/readyz", "/services", "/", "/index.html"])
    func allow(path: String) async throws {
        let folder = try TemporaryFolder()
        try Data("<p>".utf8).write(to: URL(fileURLWithPath: folder.file("index.html")))
        try await GatewayFixture.run(configure: { $0.staticDirectory = folder.path }) { fixture in
            let options = try await fixture.fetch("OPTIONS", path)
            let refused = try await fixture.fetch("PATCH", path)
            #expect(options.status == 204 && refused.status == 405)
            #expect(options.headers["allow"] == refused.headers["allow"])
            #expect(try await fixture.fetch("OPTIONS", "*").headers["allow"] == "GET, HEAD, POST, OPTIONS")
            #expect(try await fixture.fetch("OPTIONS", "/nowhere").headers["allow"] == "OPTIONS")
        }
    }

    @Test("a method that nobody knows is 501 over HTTP/1 and 405 over HTTP/2")
    func unknownMethod() async throws {
        try await GatewayFixture.run { fixture in
            let answer = try await fixture.fetch("FOO", "/rpc")
            let detail = "the method or the transfer coding is not known"
            #expect(try answer.isError(501, id: "shippy.api", detail))
            let port = try #require(fixture.address.port)
            try await onThread {
                let peer = try HTTP2Peer(port: port)
                peer.send(.http("FOO", "/rpc", stream: 1, endStream: true))
                #expect(peer.answer(1)?.status == "405")
                // The longest one that the limit on headers admits is repeated in part.
                peer.send(.http(String(repeating: "F", count: 15_000), "/rpc", stream: 3, endStream: true))
                let long = try #require(peer.answer(3))
                #expect(long.status == "405")
                #expect(long.text.contains("\"\(String(repeating: "F", count: 120))… is not possible here\""))
            }
        }
    }

    @Test(
        "content codings and types in every form that means the same",
        arguments: [
            [("content-encoding", "")], [("content-encoding", "identity")],
            [("content-encoding", "Identity, identity")],
            [("content-encoding", " , ,")], [("content-encoding", "identity"), ("content-encoding", "")],
            [("content-type", "application/json"), ("content-type", "application/json; charset=UTF-8")],
            [("content-type", "application/json, Application/JSON")],
            [("content-type", "application/json; x=\"a,b\"")], [("content-type", ", application/json")],
            [("content-type", #"application/json; x="a\"b,c""#)], [("content-type", #"application/json; x="a\\",,"#)],
            [("content-type", #"application/json; x="a;charset=latin1""#)],
            [("content-type", #"application/json; x="\";charset=latin1"; charset="\utf-8""#)],
            [("content-type", "application/json;; charset=utf-8;")],
        ])
    func contentAccepted(fields: [(String, String)]) async throws {
        try await GatewayFixture.run { fixture in
            let answer = try await fixture.fetch("POST", "/rpc", headers: HTTPHeaders(fields), body: Self.create)
            #expect(answer.status == 200, "\(answer.body)")
        }
    }

    @Test(
        "content codings and types that are not taken, wherever they stand",
        arguments: [
            [("content-encoding", "gzip")], [("content-encoding", "identity, gzip")],
            [("content-type", #"application/json;x="\", text/plain"#)],
            [("content-type", #"application/json; charset="utf-8\""#)],
            [("content-encoding", "identity"), ("content-encoding", "br")],
            [("content-type", "application/json"), ("content-type", "text/plain")],
            [("content-type", "text/plain"), ("content-type", "application/json")],
            [("content-type", "application/json, text/plain")],
            [("content-type", "application/json"), ("content-type", "application/x-www-form-urlencoded")],
            [("content-type", "application/json; charset=utf-8; charset=latin1")], [("content-type", "")],
            [("content-type", " , ")], [("content-type", "application/json"), ("content-type", "")],
            [("content-type", ";application/json")], [("content-type", " ; charset=utf-8")],
            [("content-type", #"application/json; x="a\\"; charset=latin1"#)],
            [("content-type", #"application/json; x="a\\", text/plain"#)],
            [("content-type", #"application/json; charset="latin1\""#)],
        ])
    func contentRefused(fields: [(String, String)]) async throws {
        try await GatewayFixture.run { fixture in
            let answer = try await fixture.fetch("POST", "/rpc", headers: HTTPHeaders(fields), body: Self.create)
            #expect(answer.status == 415, "\(answer.body)")
            // Who used a coding learns which are taken.
            let isAboutCoding = fields.contains { $0.0 == "content-encoding" }
            #expect(answer.headers["accept-encoding"] == (isAboutCoding ? "identity" : nil))
        }
    }

    @Test("headers that a service would find too large are 431, just under that they are forwarded")
    func largeToken() async throws {
        try await GatewayFixture.run { fixture in
            func post(_ bytes: Int) async throws -> Answer {
                let headers: HTTPHeaders = ["token": String(repeating: "a", count: bytes)]
                return try await fixture.fetch("POST", "/rpc", headers: headers, body: Self.create)
            }
            #expect(try await post(15_000).status == 200)
            for bytes in [15_600, 15_900, 16_100] {
                let answer = try await post(bytes)
                #expect(answer.status == 431)
                #expect(try answer.json["id"] as? String == "shippy.api")
            }
            // No call, no service: 16 KiB hold.
            let headers: HTTPHeaders = ["token": String(repeating: "a", count: 15_900)]
            #expect(try await fixture.fetch("GET", "/healthz", headers: headers).status == 200)
        }
    }

    @Test("over HTTP/2 trailers log nobody in and are nobody's address")
    func trailers() async throws {
        let time = StoppedTime()
        try await GatewayFixture.run(configure: {
            $0.rateLimit = 1
            $0.rateClock = { time.now }
            $0.trustedProxies = TrustedProxies("1")
        }) { fixture in
            let port = try #require(fixture.address.port)
            try await onThread {
                let peer = try HTTP2Peer(port: port)
                var statuses: [String] = []
                for number in 0..<8 {
                    let stream = UInt32(2 * number + 1)
                    peer.send(
                        .http("POST", "/rpc", stream: stream, endStream: false),
                        Frame(.data, stream: stream, Array(Self.create.utf8)),
                        Frame(
                            .headers, Frame.endHeaders | Frame.endStream, stream: stream,
                            Frame.block([
                                ("authorization", "Bearer t"), ("token", "t"), ("idempotency-key", "k"),
                                ("content-type", "text/plain"), ("x-forwarded-for", "192.0.2.\(number)"),
                            ])))
                    statuses.append(peer.answer(stream)?.status ?? "")
                }
                // A burst of two, all from one address.
                #expect(statuses == ["200", "200"] + Array(repeating: "429", count: 6))
            }
            let metadata = fixture.services.seen.withLockedValue { $0.metadata }
            for name in ["authorization", "token", "idempotency-key"] { #expect(metadata[name] == nil) }
        }
    }
}

@Suite("Conditional requests for files")
struct ConditionTests {
    private static let tag = "\"a,b\""

    @Test(
        "lists of entity tags",
        arguments: [
            ([#""a,b""#], true, true), (["*"], true, true), ([" * "], true, true), ([#""x", "a,b""#], true, true),
            ([#""x""#, #""a,b""#], true, true), ([#",, "x" ,"a,b","y""#], true, true), ([#"W/"a,b""#], false, true),
            ([#""x", W/"a,b""#], false, true), ([#"w/"a,b""#], false, false), ([#""a""#], false, false),
            ([#"a,b"#], false, false), ([#""a,b"#], false, false), ([""], false, false), ([#"*, "a,b"#], false, false),
            ([#""A,B""#], false, false),
        ])
    func lists(_ lists: [String], strong: Bool, weak: Bool) {
        #expect(EntityTags.match(lists, Self.tag, by: .strong) == strong)
        #expect(EntityTags.match(lists, Self.tag, by: .weak) == weak)
        #expect(EntityTags.match([], Self.tag, by: .weak) == nil)
    }

    @Test("If-Match comes first, then If-None-Match; conditions on dates that files do not have are ignored")
    func order() async throws {
        let folder = try TemporaryFolder()
        try Data("let a".utf8).write(to: URL(fileURLWithPath: folder.file("app.js")))
        try await GatewayFixture.run(configure: { $0.staticDirectory = folder.path }) { fixture in
            let etag = try #require(try await fixture.fetch("GET", "/app.js").headers["etag"])
            let past = "Thu, 01 Jan 1970 00:00:00 GMT"
            let cases: [(HTTPHeaders, Int)] = [
                (["if-match": etag], 200), (["if-match": "\"x\""], 412), (["if-match": "*"], 200),
                (["if-match": "W/\(etag)"], 412), (["if-match": ""], 412),
                (["if-match": "\"x\"", "if-none-match": etag], 412),
                (["if-match": etag, "if-none-match": etag], 304), (["if-match": etag, "if-none-match": "\"x\""], 200),
                (["if-none-match": "W/\(etag)"], 304), (["if-none-match": "\"x\", \(etag)"], 304),
                (["if-unmodified-since": past], 200), (["if-modified-since": "Fri, 01 Jan 2100 00:00:00 GMT"], 200),
                (["if-none-match": "\"x\"", "if-modified-since": "Fri, 01 Jan 2100 00:00:00 GMT"], 200),
            ]
            for method in ["GET", "HEAD"] {
                for (headers, status) in cases {
                    let answer = try await fixture.fetch(method, "/app.js", headers: headers)
                    #expect(answer.status == status, "\(method) \(headers)")
                }
            }
            // Conditions are about what there is: elsewhere the answer is what it would be without them.
            #expect(try await fixture.fetch("GET", "/none.js", headers: ["if-match": "*"]).status == 404)
            #expect(try await fixture.fetch("POST", "/app.js", headers: ["if-match": "\"x\""]).status == 405)
        }
    }

    @Test("an encoded slash leads to no file, other encodings do")
    func encodedPaths() async throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.file("js"), withIntermediateDirectories: true)
        try Data("let a".utf8).write(to: URL(fileURLWithPath: folder.file("js/app 1.js")))
        try await GatewayFixture.run(configure: { $0.staticDirectory = folder.path }) { fixture in
            for path in ["/js/app%201.js", "/%6as/%61pp%201%2ejs"] {
                let answer = try await fixture.fetch("GET", path)
                #expect(answer.status == 200, "\(path)")
            }
            for path in ["/js%2Fapp%201.js", "/js%2fapp%201.js", "/js/app%+f1.js", "/js/%2e%2e/js/app%201.js"] {
                #expect(try await fixture.fetch("GET", path).status == 404, "\(path)")
            }
        }
    }
}
