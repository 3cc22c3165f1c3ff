import Foundation
import TestSupport
import Testing

@testable import RPC

/// Our server against grpcio, a client of another make.
@Suite("A grpcio client and our server", .turns)
struct StrangerClientTests {
    @Test("a call is answered, and one with an empty message too")
    func echo() async throws {
        try await withServer { server in
            let said = try await Python.call(server.port, "echo")
            #expect(said.first?.code == "OK")
            #expect(said.first?.name == "hello")
            #expect(said.first?.capacity == -7)
        }
    }

    @Test("every status arrives with its text, whatever its letters, and its metadata")
    func errors() async throws {
        try await withServer { server in
            let said = try await Python.call(server.port, "errors")
            #expect(said.map(\.code) == Status.Code.allCases.dropFirst().map(\.name))
            for (index, said) in said.enumerated() {
                #expect(said.message == "Grüße 100 % 船 \n\(index + 1)")
                #expect(said.trailers?["retry-after"] == "7")
            }
        }
    }

    @Test("grpcio-status reads the details of a failure; RESOURCE_EXHAUSTED always says when to come back")
    func details() async throws {
        try await withServer { server in
            let said = try await Python.call(server.port, "details")
            #expect(said.map(\.code) == ["INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "NOT_FOUND"])
            #expect(said.map(\.message) == ["text", "text", "none"])
            let field = #"field: "containers[3].origin" description: "wrong""#
            #expect(
                said.map { $0.trailers?["details"] } == [
                    "field_violations { \(field) }; reason: \"FLEET_FULL\" domain: \"shippy\"",
                    "retry_delay { seconds: 7 }", "",
                ])
        }
    }

    @Test("metadata reaches the handler; there is no deadline unless one is given")
    func metadata() async throws {
        try await withServer { server in
            let said = try await Python.call(server.port, "metadata")
            #expect(said.map(\.name) == ["abc", "(absent)", "AP8B"])
            #expect(said[1].capacity == -1)
            #expect(said[0].id == "/test.Test/Context")
            #expect(said[0].owner_id?.contains("127.0.0.1") == true)
        }
    }

    @Test("the handler knows the deadline, and is cancelled when it passes")
    func deadlines() async throws {
        try await withServer { server in
            let said = try await Python.call(server.port, "deadlines")
            let left = try #require(said[0].capacity)
            #expect(left > 0 && left <= 5_000)
            #expect(said[1].code == "DEADLINE_EXCEEDED")
            try await eventually("the handler's end") { server.log.cancelled == 1 }
        }
    }

    @Test("a cancelled call ends its handler, and the connection goes on")
    func cancelled() async throws {
        try await withServer { server in
            let file = NSTemporaryDirectory() + "shippy-arrived-" + UUID().uuidString
            defer { try? FileManager.default.removeItem(atPath: file) }
            let run = try ProcessRun(
                Tool.python, [Python.script("grpc_client.py"), "127.0.0.1:\(server.port)", "-", "cancel", file])
            try await eventually("the call") { server.log.began == 1 }
            try Data().write(to: URL(fileURLWithPath: file))
            let exit = try await run.status()
            #expect(exit == 0)
            let said = try Python.lines(run.output)
            #expect(said.first?.cancelled == true)
            #expect(said.last?.name == "after")
            try await eventually("the handler's end") { server.log.cancelled == 1 }
        }
    }

    @Test("a client that dies ends its handlers")
    func died() async throws {
        try await withServer { server in
            let run = try ProcessRun(
                Tool.python, [Python.script("grpc_client.py"), "127.0.0.1:\(server.port)", "-", "cancel", "/never"])
            try await eventually("the call") { server.log.began >= 1 }
            run.send(9)
            try await eventually("the handler's end") { server.log.cancelled == 1 }
            try await eventually("the connection's end") { server.server.connectionCount == 0 }
        }
    }

    @Test("methods and services that do not exist are UNIMPLEMENTED")
    func unknown() async throws {
        try await withServer { server in
            let said = try await Python.call(server.port, "unknown")
            #expect(said.map(\.code) == ["UNIMPLEMENTED", "UNIMPLEMENTED"])
        }
    }

    @Test("compression is UNIMPLEMENTED, and what is spoken instead is said")
    func compression() async throws {
        try await withServer { server in
            let said = try await Python.call(server.port, "compression")
            #expect(said.map(\.code) == ["UNIMPLEMENTED", "OK"])
            #expect(said[0].message == "compression gzip is not supported")
        }
    }

    @Test("4 MiB pass either way, one byte more does not, and half a message is an error")
    func sizes() async throws {
        try await withServer { server in
            let said = try await Python.call(server.port, "sizes")
            let limit = 4 * 1024 * 1024
            #expect(
                said.map(\.code) == ["OK", "RESOURCE_EXHAUSTED", "OK", "OK", "RESOURCE_EXHAUSTED", "INTERNAL"])
            #expect(said.map(\.bytes) == [limit, nil, 0, limit, nil, nil])
        }
    }

    @Test("500 calls at a time, more than a connection's 256 streams, all succeed")
    func concurrent() async throws {
        try await withServer { server in
            let said = try await Python.call(server.port, "concurrent")
            #expect(said.first?.good == 500)
        }
    }

    @Test("a streaming call to a unary method is UNIMPLEMENTED")
    func streaming() async throws {
        try await withServer { server in
            let said = try await Python.call(server.port, "streaming")
            #expect(said.map(\.code) == ["UNIMPLEMENTED", "UNIMPLEMENTED"])
        }
    }

    @Test("a client of a server that drains hears of it and gets its pending answer")
    func drain() async throws {
        try await withServer { server in
            let run = try ProcessRun(
                Tool.python, [Python.script("grpc_client.py"), "127.0.0.1:\(server.port)", "-", "drain"])
            try await run.waitForOutput("started")
            try await eventually("the pending call") { server.log.began >= 2 }
            await server.server.drain(timeout: .seconds(20))
            #expect(server.log.counts.finished == 1)
            #expect(try await run.status() == 0)
            let said = try Python.lines(run.output)
            #expect(said.last?.pending == true)
            #expect(said.last?.states?.contains("IDLE") == true)
        }
    }
}
