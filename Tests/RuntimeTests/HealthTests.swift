import Foundation
import HTTP
import Logging
import NIOCore
import RPC
import Synchronization
import TestSupport
import Testing

@testable import Runtime

@Suite("Readiness and admin endpoints")
struct HealthTests {
    private func get(
        _ path: String, _ readiness: Readiness, method: HTTPRequest.Method = .GET
    ) async -> (status: HTTPResponse.Status, headers: HTTPFields, body: String) {
        let responder = AdminResponder(readiness: readiness, metrics: MetricsRegistry())
        let response = await responder.respond(to: HTTPRequest(method: method, path: path))
        return (response.status, response.headers, String(buffer: response.body))
    }

    @Test("a program is ready when all checks are well, and says of each that is not why")
    func checks() async throws {
        let readiness = Readiness()
        readiness.add(ReadinessCheck("store") { nil })
        readiness.add(ReadinessCheck("vessel") { "no \"route\"" })
        #expect(readiness.report().checks.map(\.reason) == ["not checked yet", "not checked yet"])
        #expect(await get("/readyz", readiness).status == .serviceUnavailable)

        let now = NIODeadline.now()
        readiness.record("store", nil, at: now)
        readiness.record("vessel", "no \"route\"", at: now)
        let bad = await get("/readyz", readiness)
        #expect(bad.status == .serviceUnavailable)
        #expect(bad.headers.first(name: "content-type") == "application/json")
        #expect(
            bad.body == """
                {"status":"not ready","checks":[{"name":"store","ready":true},\
                {"name":"vessel","ready":false,"reason":"no \\"route\\""}]}

                """)

        readiness.record("vessel", nil, at: now)
        #expect(await get("/readyz", readiness).status == .ok)
        #expect(readiness.report(now: now + .seconds(30)).checks.first?.reason == "no answer for 30 s")

        readiness.beginDraining()
        let draining = await get("/readyz", readiness)
        #expect(draining.status == .serviceUnavailable)
        #expect(draining.body.contains("\"status\":\"draining\""))
        #expect(await get("/healthz", readiness).status == .ok)
    }

    @Test("however many ask, a check runs once at a time, and one that hangs makes nobody wait")
    func noStampede() async throws {
        let readiness = Readiness()
        let running = Atomic(0)
        let most = Atomic(0)
        let runs = Atomic(0)
        readiness.add(
            ReadinessCheck("slow") {
                let (_, now) = running.add(1, ordering: .relaxed)
                most.max(now, ordering: .relaxed)
                runs.add(1, ordering: .relaxed)
                try? await Task.sleep(for: .milliseconds(5))
                running.subtract(1, ordering: .relaxed)
                return nil
            })
        readiness.add(ReadinessCheck("hung") { await Self.hang() })
        let loop = Task { await readiness.run() }
        try await eventually("the first result") { readiness.report().checks.first?.reason == nil }
        for _ in 0..<1_000 { #expect(await get("/readyz", readiness).body.contains("not checked yet")) }
        #expect(most.load(ordering: .relaxed) == 1)
        #expect(runs.load(ordering: .relaxed) < 10)
        loop.cancel()
        await loop.value
    }

    private static func hang() async -> String? {
        try? await Task.sleep(for: .seconds(3_600))
        return "cancelled"
    }

    @Test("unknown paths are 404, other methods 405 with Allow, and HEAD is like GET")
    func routing() async {
        let readiness = Readiness()
        #expect(await get("/", readiness).status == .notFound)
        #expect(await get("/metrics/", readiness).status == .notFound)
        let post = await get("/metrics", readiness, method: .POST)
        #expect(post.status == .methodNotAllowed)
        #expect(post.headers.first(name: "allow") == "GET, HEAD")
        #expect(await get("/metrics", readiness, method: .HEAD).status == .ok)
        let metrics = await get("/metrics", readiness)
        #expect(metrics.headers.first(name: "content-type") == PrometheusText.contentType)
    }

    @Test("the log's level is told and changed, but not by a name that is none, and not by a page")
    func logLevel() async {
        let levels = LogLevelSwitch(.info)
        let responder = AdminResponder(readiness: Readiness(), metrics: MetricsRegistry(), logLevels: levels)
        func ask(
            _ method: HTTPRequest.Method, _ body: String = "", _ headers: HTTPFields = [:]
        ) async -> (status: HTTPResponse.Status, body: String) {
            let response = await responder.respond(
                to: HTTPRequest(
                    method: method, path: "/log_level", headers: headers, body: ByteBuffer(string: body)))
            return (response.status, String(buffer: response.body))
        }
        #expect(await ask(.GET) == (.ok, "info\n"))
        #expect(await ask(.PUT, "DEBUG\n") == (.ok, "debug\n"))
        #expect(levels.level == .debug)
        #expect(await ask(.GET) == (.ok, "debug\n"))
        for wrong in ["loud", "", "debug info", "\u{0}"] {
            let answer = await ask(.PUT, wrong)
            #expect(answer.status == .badRequest && answer.body.contains("trace, debug, info"), "\(wrong)")
        }
        for origin in ["http://evil.example", "null", "http://127.0.0.1:9090"] {
            #expect(await ask(.PUT, "trace", ["origin": origin]).status == .forbidden)
        }
        #expect(await ask(.POST, "trace").status == .methodNotAllowed)
        #expect(await ask(.OPTIONS).status == .methodNotAllowed)
        #expect(levels.level == .debug)
    }

    @Test("a change of the log's level has its line, even to one and from one that would leave it out")
    func logLevelLine() async throws {
        let pipe = Pipe()
        let levels = LogLevelSwitch(.info)
        let output = LogOutput(descriptor: pipe.fileHandleForWriting.fileDescriptor, style: .json)
        let logger = Logger(label: "s") { LineLogHandler(service: "s", label: $0, output: output, levels: levels) }
        let responder = AdminResponder(
            readiness: Readiness(), metrics: MetricsRegistry(), logLevels: levels, logger: logger)
        for name in ["critical", "error", "debug"] {
            let request = HTTPRequest(method: .PUT, path: "/log_level", body: ByteBuffer(string: name))
            #expect(await responder.respond(to: request).status == .ok)
            #expect("\(levels.level)" == name)
        }
        try pipe.fileHandleForWriting.close()
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let lines = text.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines.first?.contains(#""from":"info","to":"critical""#) == true)
        #expect(lines.last?.contains(#""from":"error","to":"debug""#) == true)
    }

    @Test("each rejection of the HTTP server has its status")
    func refusals() {
        let responder = AdminResponder(readiness: Readiness(), metrics: MetricsRegistry())
        #expect(responder.respond(rejecting: .malformed).status == .badRequest)
        #expect(responder.respond(rejecting: .timeout).status == .requestTimeout)
        #expect(responder.respond(rejecting: .bodyTooLarge).status == .payloadTooLarge)
        #expect(responder.respond(rejecting: .headersTooLarge).status == .requestHeaderFieldsTooLarge)
        #expect(responder.respond(rejecting: .notImplemented).status == .notImplemented)
        #expect(responder.respond(rejecting: .versionNotSupported).status == .httpVersionNotSupported)
    }
}
