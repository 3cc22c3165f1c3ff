import Contracts
import Foundation
import Logging
import NIOCore
import NIOPosix
import PortServiceFixture
import RPC
import Synchronization
import TestSupport
import Testing
import Transcoding

@testable import APIGateway

/// A service that was added as CONTRIBUTING.md says, and for which nothing else was written: what it gets from the skeleton.
@Suite("A service that was added", .timeLimit(.minutes(5)))
struct AddedServiceTests {
    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// The service on a store in `folder`, with two ports.
    private static func program(in folder: TemporaryFolder) throws -> Program {
        var program = try Program.service("port", store: "sqlite:" + folder.file("port.db"), ["--seed"])
        // It is no product of its own, so that nobody ships it.
        program.executable = ProcessRun.product("PortServiceFixture")
        return program
    }

    /// Calls that were answered, on all tasks.
    private final class Answers: Sendable {
        private let count = Mutex(0)

        var value: Int { count.withLock { $0 } }

        func add() {
            count.withLock { $0 += 1 }
        }
    }

    @Test("it answers over gRPC from its store, with its errors as statuses")
    func calls() async throws {
        let folder = try TemporaryFolder()
        let program = try Self.program(in: folder)
        let run = try await program.startReady()
        try await withClient(of: program) { client in
            let port = try await client.port("DEHAM")
            #expect(port.name == "Hamburg")
            #expect(port.country == "Germany")
            let unknown = await client.status { try await $0.port("XXXXX") }
            #expect(unknown == .notFound)
            let empty = await client.status { try await $0.port("") }
            #expect(empty == .invalidArgument)
            var question = Grpc_Health_V1_HealthCheckRequest()
            question.service = PortMethods.service
            let health = try await client.call(HealthMethods.check, question, deadline: .after(.seconds(20)))
            #expect(health.status == .serving)
        }
        #expect(try await run.stop() == 0)
    }

    @Test("its admin port has readiness, and metrics of its methods and of its store")
    func adminPort() async throws {
        let folder = try TemporaryFolder()
        let program = try Self.program(in: folder)
        let run = try await program.startReady()
        let readiness = try await Web.get(program.adminPort, "/readyz")
        #expect(readiness.body == "{\"status\":\"ready\",\"checks\":[{\"name\":\"store\",\"ready\":true}]}\n")
        let metrics = try await Web.get(program.adminPort, "/metrics").body
        #expect(metrics.contains("rpc_server_active_calls{rpc_method=\"port.PortService/Get\""))
        #expect(metrics.contains("pool_connected{pool=\"ports-read\"}"))
        #expect(metrics.contains("pool_connected{pool=\"ports-write\"}"))
        #expect(try await run.stop() == 0)
    }

    @Test("its settings are those of every service and its own, as --help lists them and complaints name them")
    func settings() async throws {
        let help = try ProcessRun(ProcessRun.product("PortServiceFixture"), ["--help"])
        #expect(try await help.status() == 0)
        for word in ["--server_address", "--drain_timeout", "--seed", "[SEED_DATA=true]", "DB_HOST"] {
            #expect(help.output.contains(word), "\(word)")
        }
        let unset = try ProcessRun(ProcessRun.product("PortServiceFixture"))
        #expect(try await unset.status() == 64)
        #expect(
            unset.errors == "port-service-fixture: DB_HOST: ports are kept in SQLite alone; write sqlite:PATH\n")
    }

    @Test("SIGTERM lets the calls that it took end, and then it ends with 0")
    func drain() async throws {
        let folder = try TemporaryFolder()
        let program = try Self.program(in: folder)
        let run = try await program.startReady()
        let answers = Answers()
        try await withClient(of: program, connectWait: .seconds(1)) { client in
            try await withThrowingTaskGroup(of: Status.Code.self) { callers in
                for _ in 0..<8 {
                    callers.addTask { await Self.askUntilRefused(client, answers) }
                }
                try await eventually("calls") { answers.value > 100 }
                #expect(try await run.stop() == 0)
                for try await code in callers { #expect(code == .unavailable) }
            }
        }
        #expect(run.output.contains("\"message\":\"stopped\""))
    }

    /// The status of the first call that was not answered.
    private static func askUntilRefused(_ client: RPCClient, _ answers: Answers) async -> Status.Code {
        while true {
            let code = await client.status { try await $0.port("NLRTM") }
            guard code == .ok else { return code }
            answers.add()
        }
    }

    @Test("the gateway serves it in JSON, by its descriptors alone")
    func gateway() async throws {
        let folder = try TemporaryFolder()
        let program = try Self.program(in: folder)
        let run = try await program.startReady()
        var configuration = GatewayConfiguration(
            address: HostPort(host: "127.0.0.1", port: 0),
            upstreams: [.init(name: "port", address: HostPort(host: "127.0.0.1", port: program.port))])
        configuration.schema = try Schema(fileDescriptorSet: DescriptorSet.fixture.bytes)
        let gateway = try await Gateway(configuration: configuration, group: .singleton, logger: Self.quiet)
        let address = try await gateway.start()
        let result = await Result(catching: {
            let port = try #require(address.port)
            try await Self.checkGateway(at: port)
        })
        await gateway.drain(timeout: .milliseconds(50))
        try result.get()
        #expect(try await run.stop() == 0)
    }

    private static func checkGateway(at port: Int) async throws {
        let found = try await Web.rpc(
            port, #"{"service": "port", "method": "PortService.Get", "request": {"code": "DEHAM"}}"#)
        #expect(found.status == 200)
        let json = try JSONSerialization.jsonObject(with: Data(found.body.utf8)) as? NSDictionary
        let expected: NSDictionary = ["port": ["code": "DEHAM", "name": "Hamburg", "country": "Germany"]]
        #expect(json == expected)
        let unknown = try await Web.rpc(
            port, #"{"service": "port", "method": "PortService.Get", "request": {"code": "XXXXX"}}"#)
        #expect(unknown.status == 404)
        #expect(unknown.body.contains("there is no port with this code"))
        #expect(try await Web.get(port, "/readyz").status == 200)
        #expect(try await Web.get(port, "/services").body.contains("\"/port/PortService/Get\""))
    }
}

extension RPCClient {
    fileprivate func port(_ code: String) async throws -> Port_Port {
        var request = Port_GetRequest()
        request.code = code
        return try await call(PortMethods.get, request, deadline: .after(.seconds(20))).port
    }
}
