import Contracts
import Foundation
import RPC
import SwiftProtobuf
import TestSupport
import Testing

extension LoadTests {
    /// A text from outside costs at most a small multiple of a plain text of its length, wherever it is read.
    @Suite("The cost of texts", .timeLimit(.minutes(10)))
    struct TextCostTests {
        /// All five programs, and a user who is logged in.
        private struct Started {
            let harbor: Harbor
            let runs: [ProcessRun]
            let token: String
            let folder: TemporaryFolder

            func expectCheap(_ places: [TextPlace]) async throws {
                let scale = TextScale(runs: runs)
                for place in places {
                    for problem in try await scale.problems(of: place) { Issue.record("\(problem)") }
                }
            }
        }

        private func start() async throws -> Started {
            let folder = try TemporaryFolder()
            let page = folder.file("page")
            try FileManager.default.createDirectory(atPath: page, withIntermediateDirectories: true)
            try Data("hello".utf8).write(to: URL(fileURLWithPath: page + "/index.html"))
            // A call that is refused under load costs nothing, and would prove nothing.
            var harbor = try Harbor(.embedded(in: folder), environment: ["OVERLOAD_CONTROL": "off"])
            harbor.gateway.arguments += ["--static=\(page)", "--trusted_proxies=1", "--rate_limit=1000000"]
            let runs = try await harbor.start()
            let caller = Caller(port: harbor.gateway.port)
            let signedUp = try await caller.signUp("ada@example.com")
            let token = signedUp.text("token.token")
            try #require(!token.isEmpty, "\(signedUp.body)")
            return Started(harbor: harbor, runs: runs, token: token, folder: folder)
        }

        @Test("every field of every method's request, every field name, and the envelope, over HTTP")
        func requests() async throws {
            let started = try await start()
            let port = started.harbor.gateway.port
            let services = try await Web.get(port, "/services").json
            let methods = try HTTPMethodFields.all(in: services)
            // The number of methods in the contract: none was overlooked.
            #expect(methods.count == 18 && methods.flatMap(\.fields).count > 40)
            try await started.expectCheap(methods.flatMap { Places.fields(of: $0, port, started.token) })
            try await started.expectCheap(Places.envelope(port) + Places.form(port))
            try await Harbor.stop(started.runs)
        }

        @Test("every header that is read, the path and the query, over HTTP/1.1 and HTTP/2, and on the admin port")
        func headers() async throws {
            let started = try await start()
            let (port, adminPort) = (started.harbor.gateway.port, started.harbor.gateway.adminPort)
            try await started.expectCheap(Places.headers1(port) + Places.targets1(port) + Places.targets1(adminPort))
            try await started.expectCheap(Places.headers2(port))
            try await Harbor.stop(started.runs)
        }

        @Test("every field and every header over gRPC, of each service")
        func grpc() async throws {
            let started = try await start()
            let harbor = started.harbor
            try await started.expectCheap(
                Places.metadata(harbor.vessel.port, VesselMethods.create.path)
                    + Places.metadata(harbor.user.port, UserMethods.getAll.path)
                    + Places.metadata(harbor.user.port, UserMethods.create.path)
                    + Places.metadata(harbor.consignment.port, ConsignmentMethods.create.path)
                    + Places.metadata(harbor.consignment.port, ConsignmentMethods.get.path)
                    + Places.metadata(harbor.email.port, EmailMethods.process.path))
            for program in [harbor.vessel, harbor.user, harbor.consignment, harbor.email] {
                try await withClient(of: program) { client in
                    try await started.expectCheap(Places.messages(client, of: program, in: harbor, started.token))
                }
            }
            try await Harbor.stop(started.runs)
        }

        @Test("the headers that are sent are the headers that the sources read")
        func headersAreComplete() throws {
            let sent = Set(Places.httpHeaders + Places.metadataNames + [":path", ":method", ":authority", ":scheme"])
            let read = try HeadersInSources.names()
            #expect(read.count > 15)
            #expect(read.subtracting(sent).subtracting(HeadersInSources.ofAnswers) == [])
        }
    }
}
