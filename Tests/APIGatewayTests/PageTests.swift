import Contracts
import Foundation
import HTTP
import NIOCore
import NIOHTTP1
import NIOPosix
import RPC
import Testing

@testable import APIGateway

@Suite("Paths beside /rpc")
struct PageTests {
    @Test(
        "a method that a path does not know is 405 and says which it knows",
        arguments: [
            ("GET", "/rpc", "POST, OPTIONS"), ("PUT", "/rpc", "POST, OPTIONS"),
            ("GET", "/vessel/VesselService/Create", "POST, OPTIONS"), ("POST", "/healthz", "GET, HEAD, OPTIONS"),
            ("DELETE", "/services", "GET, HEAD, OPTIONS"), ("POST", "/readyz", "GET, HEAD, OPTIONS"),
        ])
    func methodNotAllowed(method: String, path: String, allow: String) async throws {
        try await GatewayFixture.run { fixture in
            let answer = try await fixture.fetch(method, path)
            #expect(try answer.isError(405, id: "shippy.api", "\(method) is not possible here"))
            #expect(answer.headers["allow"] == allow)
        }
    }

    @Test(
        "unknown paths are 404",
        arguments: ["/", "/rpc/", "/nothing", "/email/EmailService/Get", "/vessel/VesselService", "/a/b/c/d", "//a/b"])
    func notFound(path: String) async throws {
        try await GatewayFixture.run { fixture in
            for method in ["GET", "POST"] {
                let answer = try await fixture.fetch(method, path)
                #expect(answer.status == 404)
                #expect(try answer.json["id"] as? String == "shippy.api")
            }
        }
    }

    @Test("pages of any origin may call", arguments: ["/rpc", "/vessel/VesselService/Create", "/services"])
    func cors(path: String) async throws {
        try await GatewayFixture.run { fixture in
            let preflight = try await fixture.fetch(
                "OPTIONS", path,
                headers: [
                    "origin": "https://shippy.example", "access-control-request-method": "POST",
                    "access-control-request-headers": "authorization,content-type,token",
                ])
            #expect(preflight.status == 204)
            #expect(preflight.body.isEmpty)
            #expect(preflight.headers["access-control-allow-origin"] == "*")
            #expect(preflight.headers["access-control-allow-methods"]?.contains("POST") == true)
            let allowed = try #require(preflight.headers["access-control-allow-headers"])
            for name in ["authorization", "content-type", "token", "idempotency-key"] {
                #expect(allowed.contains(name))
            }
            let answer = try await fixture.fetch("POST", path)
            #expect(answer.headers["access-control-allow-origin"] == "*")
        }
    }

    @Test("/services lists what can be called, and each method's fields")
    func services() async throws {
        try await GatewayFixture.run { fixture in
            let answer = try await fixture.fetch("GET", "/services")
            let services = try #require(try answer.json["services"] as? [[String: Any]])
            #expect(services.map { $0["name"] as? String } == ["vessel", "user", "consignment"])
            let vessel = try #require(services[0]["methods"] as? [[String: Any]])
            #expect(
                vessel.map { $0["name"] as? String }
                    == ["Create", "FindAvailable", "Get", "List", "Update"].map { "VesselService.\($0)" })
            #expect(vessel[0]["path"] as? String == "/vessel/VesselService/Create")
            let request = try #require(vessel[0]["request"] as? [String: Any])
            #expect(request["type"] as? String == "vessel.Vessel")
            let fields = try #require(request["fields"] as? [[String: Any]])
            #expect(fields.map { $0["name"] as? String }.prefix(3) == ["id", "capacity", "max_weight"])
            #expect(fields.map { $0["type"] as? String }.prefix(3) == ["string", "integer", "integer"])
            let consignment = try #require(services[2]["methods"] as? [[String: Any]])
            let containers = try #require(
                ((consignment[0]["request"] as? [String: Any])?["fields"] as? [[String: Any]])?[3])
            #expect(containers["type"] as? String == "array")
            #expect((containers["items"] as? [String: Any])?["type"] as? String == "object")
            #expect(!answer.body.contains("email.") && !answer.body.contains("Health"))
        }
    }

    @Test("/healthz says that the process lives, services or not")
    func healthz() async throws {
        try await GatewayFixture.run(configure: { $0.upstreams[0].address = HostPort(host: "127.0.0.1", port: 1) }) {
            fixture in
            let answer = try await fixture.fetch("GET", "/healthz")
            #expect(answer.status == 200)
            #expect(try answer.json == ["status": "ok"])
            #expect(try await fixture.fetch("HEAD", "/healthz").body.isEmpty)
        }
    }

    @Test("/readyz is ready when the services answer, and asks them once for many probes")
    func ready() async throws {
        try await GatewayFixture.run(configure: {
            $0.readinessLifetime = .seconds(60)
            $0.upstreams.removeLast()
        }) { fixture in
            try await withThrowingTaskGroup { group in
                for _ in 0..<20 { group.addTask { try await fixture.fetch("GET", "/readyz").status } }
                for try await status in group { #expect(status == 200) }
            }
            // Every event loop calls both services.
            let loops = MultiThreadedEventLoopGroup.singleton.makeIterator().reduce(0) { count, _ in count + 1 }
            let asked = fixture.services.seen.withLockedValue { $0.paths }
            #expect(asked.count == 2 * loops)
        }
    }

    @Test("/readyz names the service that does not answer, not its address; and recovers, and ends with the drain")
    func notReady() async throws {
        try await GatewayFixture.run(configure: {
            $0.readinessTimeout = .milliseconds(500)
            $0.upstreams[1].address = HostPort(host: "127.0.0.1", port: 1)
        }) { fixture in
            let answer = try await fixture.fetch("GET", "/readyz")
            #expect(answer.status == 503)
            let services = try #require(try answer.json["services"] as? [[String: Any]])
            #expect(services.map { $0["ready"] as? Bool } == [true, false, true])
            #expect(services[1]["name"] as? String == "user")
            #expect((services[1]["detail"] as? String)?.isEmpty == false)
            #expect(!answer.body.contains("127.0.0.1"))
        }
    }
}

@Suite("Static files")
struct StaticFilesTests {
    @Test("files are served with type and validator; nothing outside the folder, and nothing hidden, is")
    func files() async throws {
        let manager = FileManager.default
        let base = manager.temporaryDirectory.appendingPathComponent("shippy-static-\(UUID())")
        let folder = base.appendingPathComponent("public")
        try manager.createDirectory(at: folder.appendingPathComponent("js"), withIntermediateDirectories: true)
        defer { try? manager.removeItem(at: base) }
        func write(_ text: String, _ path: String) throws {
            try Data(text.utf8).write(to: base.appendingPathComponent(path))
        }
        try write("<p>é", "public/index.html")
        try write("let a", "public/js/app.js")
        try write("spaced", "public/a b.txt")
        try write("hidden", "public/.env")
        try write("secret", "secret.txt")
        try manager.createSymbolicLink(
            at: folder.appendingPathComponent("out.txt"), withDestinationURL: base.appendingPathComponent("secret.txt"))
        try manager.createSymbolicLink(
            at: folder.appendingPathComponent("in.txt"), withDestinationURL: folder.appendingPathComponent("a b.txt"))

        try await GatewayFixture.run(configure: { $0.staticDirectory = folder.path }) { fixture in
            let page = try await fixture.fetch("GET", "/")
            #expect(page.status == 200 && page.body == "<p>é")
            #expect(page.headers["content-type"] == "text/html; charset=utf-8")
            #expect(page.headers["x-content-type-options"] == "nosniff")
            let etag = try #require(page.headers["etag"])
            let again = try await fixture.fetch("GET", "/index.html", headers: ["if-none-match": "\"x\", \(etag)"])
            #expect(again.status == 304 && again.body.isEmpty && again.headers["etag"] == etag)
            let script = try await fixture.fetch("GET", "/js/app.js")
            #expect(script.body == "let a" && script.headers["content-type"] == "text/javascript; charset=utf-8")
            let head = try await fixture.fetch("HEAD", "/js/app.js")
            #expect(head.body.isEmpty && head.headers["content-length"] == "5")
            #expect(try await fixture.fetch("GET", "/a%20b.txt").body == "spaced")
            #expect(try await fixture.fetch("GET", "/in.txt").body == "spaced")
            #expect(try await fixture.fetch("POST", "/js/app.js").status == 405)
            for path in [
                "/.env", "/out.txt", "/../secret.txt", "/js/../../secret.txt", "/%2e%2e/secret.txt",
                "/..%2fsecret.txt", "/js/%2e%2e/index.html", "/js", "/js/", "//index.html", "/a%2", "/a%00b.txt",
            ] {
                #expect(try await fixture.fetch("GET", path).status == 404, "\(path)")
            }
            #expect(try await fixture.fetch("GET", "/healthz").status == 200)
        }
    }

    @Test("files say what a browser may do with them, kept ones too; answers of calls are not pages and say nothing")
    func policy() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("shippy-policy-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data("<p>".utf8).write(to: folder.appendingPathComponent("index.html"))

        try await GatewayFixture.run(configure: { $0.staticDirectory = folder.path }) { fixture in
            let page = try await fixture.fetch("GET", "/")
            let kept = try await fixture.fetch("GET", "/", headers: ["if-none-match": page.headers["etag"] ?? ""])
            let head = try await fixture.fetch("HEAD", "/")
            #expect(page.status == 200 && kept.status == 304 && head.status == 200)
            for answer in [page, kept, head] {
                let policy = answer.headers["content-security-policy"] ?? ""
                let directives = Set(policy.components(separatedBy: "; "))
                let expected: Set = [
                    "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'",
                    "img-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
                    "require-trusted-types-for 'script'", "trusted-types 'none'",
                ]
                #expect(directives == expected)
                #expect(answer.headers["x-content-type-options"] == "nosniff")
                #expect(answer.headers["referrer-policy"] == "no-referrer")
                #expect(answer.headers["cross-origin-opener-policy"] == "same-origin")
                #expect(answer.headers["permissions-policy"]?.contains("camera=()") == true)
                // A new version shows at once: kept, but asked for each time.
                #expect(answer.headers["cache-control"] == "no-cache")
            }
            let data = try await fixture.fetch("GET", "/services")
            #expect(data.headers["content-security-policy"] == nil)
        }
    }

    @Test("a folder that is not there is an error at the start")
    func missing() async {
        await #expect(throws: StaticFilesError.self) { try await StaticFiles.load(from: "/nowhere/at/all") }
    }
}
