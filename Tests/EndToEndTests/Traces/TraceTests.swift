import Foundation
import NIOHTTP1
import TestSupport
import Testing

/// What a collector sees of the system's work.
@Suite("Traces", .timeLimit(.minutes(10)))
struct TraceTests {
    static let booking = """
        {"description":"bolts","weight":55000,"containers":[{"origin":"Manchester"},{"origin":"Derby"}]}
        """
    static let remote = "0af7651916cd43dd8448eb211c80319c"
    static let remoteSpan = "b7ad6b7169203331"

    /// A whole harbour whose spans go to a receiver.
    struct Fixture {
        let folder: TemporaryFolder
        let receiver: TraceReceiver
        let mail: SMTPServer
        let harbor: Harbor
        let runs: [ProcessRun]
        var port: Int { harbor.gateway.port }
        var caller: Caller { Caller(port: port) }

        static func start(
            isEmbedded: Bool, environment: [String: String] = [:]
        ) async throws -> Fixture {
            let folder = try TemporaryFolder()
            let receiver = try await TraceReceiver()
            let mail = try await SMTPServer()
            let stores = isEmbedded ? Harbor.Stores.embedded(in: folder) : try await Harbor.Stores.servers()
            let harbor = try Harbor(
                stores, smtp: "smtp://127.0.0.1:\(mail.port)?starttls=never",
                environment: receiver.environment.merging(environment) { $1 })
            return Fixture(
                folder: folder, receiver: receiver, mail: mail, harbor: harbor, runs: try await harbor.start())
        }

        func book(_ token: String, _ headers: [String: String] = [:]) async throws -> WebAnswer {
            var fields = HTTPHeaders([("authorization", "Bearer \(token)")])
            for (name, value) in headers { fields.add(name: name, value: value) }
            return try await Web.rpc(
                port,
                #"{"service": "consignment", "method": "ConsignmentService.Create", "request": \#(TraceTests.booking)}"#,
                headers: fields)
        }
    }

    @Test("a booking is one trace without a gap, and hangs below the caller's own span", arguments: [true, false])
    func booking(isEmbedded: Bool) async throws {
        let fixture = try await Fixture.start(isEmbedded: isEmbedded)
        let token = try await fixture.caller.signUp("ada@example.com").text("token.token")
        let booked = try await fixture.book(
            token, ["traceparent": "00-\(Self.remote)-\(Self.remoteSpan)-01", "tracestate": "a=b"])
        #expect(booked.status == 200, "\(booked.body)")
        let store = isEmbedded ? "write consignments" : "insert consignments"
        try await eventually("the spans: \(fixture.receiver.trace(Self.remote).map(\.name))") {
            let names = fixture.receiver.trace(Self.remote).map(\.name)
            return names.contains("POST /rpc") && names.contains(store)
                && names.contains { $0.contains("vessels") } && names.count >= 9
        }
        try await Harbor.stop(fixture.runs)
        let spans = fixture.receiver.trace(Self.remote)
        let byID = Dictionary(uniqueKeysWithValues: spans.map { ($0.span, $0) })

        // One root, every parent there, and every span within its parent's time.
        let root = try #require(spans.first { $0.parent == Self.remoteSpan })
        for span in spans where span.span != root.span {
            let parent = try #require(byID[span.parent], "\(span.name) has no parent")
            #expect(span.start >= parent.start && span.end <= parent.end, "\(span.name) is not within \(parent.name)")
        }
        #expect(spans.allSatisfy { $0.state == "a=b" && !$0.is_error })

        func tree(_ span: ReceivedSpan) -> [String] {
            let inner = spans.filter { $0.parent == span.span }
            return ["\(span.service): \(span.name)"] + inner.flatMap { tree($0).map { "  " + $0 } }
        }
        let lines = Set(tree(root))
        for line in [
            "shippy-api: POST /rpc",
            "  shippy-api: consignment.ConsignmentService/Create",
            "    shippy-consignment: consignment.ConsignmentService/Create",
            "      shippy-consignment: user.UserService/ValidateToken",
            "        shippy-user: user.UserService/ValidateToken",
            "      shippy-consignment: vessel.VesselService/FindAvailable",
            "        shippy-vessel: vessel.VesselService/FindAvailable",
            "          shippy-vessel: \(isEmbedded ? "read vessels" : "find vessels")",
            "      shippy-consignment: \(store)",
        ] { #expect(lines.contains(line), "\(line) in\n\(tree(root).joined(separator: "\n"))") }

        #expect(root.kind == "server" && root.attributes["http.route"] == "/rpc")
        #expect(root.attributes["http.response.status_code"] == "200" && root.attributes["url.path"] == "/rpc")
        #expect(root.attributes["client.address"] == "127.0.0.1")
        let client = try #require(spans.first { $0.kind == "client" && $0.service == "shippy-api" })
        #expect(client.attributes["rpc.system.name"] == "grpc" && client.attributes["rpc.response.status_code"] == "OK")
        #expect(client.attributes["server.port"] == "\(fixture.harbor.consignment.port)")
        let stored = try #require(spans.first { $0.name == store })
        #expect(stored.attributes["db.system.name"] == (isEmbedded ? "sqlite" : "mongodb"))
        #expect(Double(stored.attributes["shippy.pool.wait_ms"] ?? "") != nil)
        // What people sent, and who they are, is in none of them.
        let everything = spans.map { "\($0)" }.joined()
        for secret in [token, "bolts", "Manchester", "ada@example.com"] { #expect(!everything.contains(secret)) }
    }

    @Test("the mail of a sign-up is a trace linked to it, up to the mail server", arguments: [true, false])
    func mail(isEmbedded: Bool) async throws {
        let fixture = try await Fixture.start(isEmbedded: isEmbedded)
        let signedUp = try await fixture.caller.signUp("grace@example.com")
        #expect(signedUp.status == 200)
        try await eventually("the mail's spans: \(fixture.receiver.spans.map(\.name))") {
            fixture.receiver.spans.contains { $0.name == "smtp send" }
                && fixture.receiver.spans.contains { $0.name == "deliver mail" }
                && fixture.receiver.spans.contains { $0.name == "deliver user.created" }
        }
        try await Harbor.stop(fixture.runs)
        let spans = fixture.receiver.spans
        let delivery = try #require(spans.first { $0.name == "deliver user.created" })
        let link = try #require(delivery.links.first)
        let cause = try #require(spans.first { $0.span == link.span && $0.trace == link.trace })
        #expect(cause.service == "shippy-user" && cause.kind == "server" && delivery.trace != cause.trace)
        #expect(delivery.parent.isEmpty && delivery.kind == "producer")

        let linked = fixture.receiver.trace(delivery.trace)
        let byID = Dictionary(uniqueKeysWithValues: linked.map { ($0.span, $0) })
        for span in linked where span.span != delivery.span {
            #expect(byID[span.parent] != nil, "\(span.name) has no parent")
        }
        let sent = try #require(linked.first { $0.name == "smtp send" })
        let mailed = try #require(byID[sent.parent])
        let processed = try #require(byID[mailed.parent])
        #expect(mailed.name == "deliver mail" && processed.name == "email.EmailService/Process")
        #expect(processed.kind == "server" && byID[processed.parent]?.service == "shippy-user")
        #expect(sent.attributes["server.port"] == "\(fixture.mail.port)" && sent.kind == "client")

        let signUp = fixture.receiver.trace(cause.trace).map(\.name)
        #expect(signUp.contains("bcrypt"))
        let stored = isEmbedded ? "write users" : "INSERT users INSERT outbox SELECT"
        #expect(signUp.contains(stored), "\(signUp)")
        let everything = spans.map { "\($0)" }.joined()
        for secret in ["correct horse", "$2b$", "grace@example.com", "Ewan"] { #expect(!everything.contains(secret)) }
    }

    @Test("what a caller does not want recorded is not, and what is malformed fails no call")
    func unsampled() async throws {
        let fixture = try await Fixture.start(
            isEmbedded: true, environment: ["OTEL_TRACES_SAMPLER": "parentbased_always_off"])
        let token = try await fixture.caller.signUp("joan@example.com").text("token.token")
        #expect(try await fixture.book(token, ["traceparent": "00-\(Self.remote)-\(Self.remoteSpan)-00"]).status == 200)
        for text in ["", "00-x", String(repeating: "f", count: 5_000), "00-\(Self.remote)-0000000000000000-01"] {
            let answer = try await fixture.book(token, ["traceparent": text, "tracestate": "=,=,\(text)"])
            #expect(answer.status == 200, "\(answer.body)")
        }
        // The one that is wanted comes, and it comes after the others.
        let wanted = String(Self.remote.reversed())
        #expect(try await fixture.book(token, ["traceparent": "00-\(wanted)-\(Self.remoteSpan)-01"]).status == 200)
        try await eventually("the wanted trace") { fixture.receiver.trace(wanted).count >= 6 }
        try await Harbor.stop(fixture.runs)
        #expect(Set(fixture.receiver.spans.map(\.trace)) == [wanted])
    }
}
