import Contracts
import TestSupport
import Testing

@testable import RPC

/// Our client against grpcio, a server of another make.
@Suite("Our client and a grpcio server")
struct StrangerServerTests {
    private func withPython<R>(
        _ options: [String] = [], _ adjust: (inout RPCClient.Configuration) -> Void = { _ in },
        _ body: (PythonServer, RPCClient) async throws -> R
    ) async throws -> R {
        let server = try await PythonServer.start(options)
        return try await withClient(server.port, adjust) { try await body(server, $0) }
    }

    @Test("calls are answered, small, empty and large")
    func answers() async throws {
        try await withPython { _, client in
            #expect(try await client.echo("hello").name == "hello")
            #expect(try await client.echo("") == Vessel_Vessel())
            let text = letters(3 * 1024 * 1024)
            #expect(try await client.echo(text).name == text)
            let large = try await client.call(
                TestMethods.large, Vessel_Vessel(capacity: 4 * 1024 * 1024), deadline: .after(.seconds(20)))
            #expect(large.name.utf8.count > 4_000_000)
            let tooLarge = await client.status(of: TestMethods.large, Vessel_Vessel(capacity: 4 * 1024 * 1024 + 1))
            #expect(tooLarge.code == .resourceExhausted)
            #expect(try await client.echo("after").name == "after")
        }
    }

    @Test("statuses come with text and trailers")
    func errors() async throws {
        try await withPython { _, client in
            for code in Status.Code.allCases.dropFirst() {
                let status = await client.status(
                    of: TestMethods.fail, Vessel_Vessel(name: "Grüße 100 % 船 \(code.rawValue)", capacity: code.rawValue))
                #expect(status.code == code)
                #expect(status.message == "Grüße 100 % 船 \(code.rawValue)")
                #expect(status.metadata["retry-after"] == "7")
            }
            let unknown = await client.status(of: TestMethods.stubborn)
            #expect(unknown.code == .unimplemented)
        }
    }

    @Test("metadata and the remaining time are passed on")
    func context() async throws {
        try await withPython { _, client in
            let answer = try await client.call(
                TestMethods.context, Vessel_Vessel(id: "x-test"), metadata: ["x-test": "abc"], deadline: .after(.seconds(9)))
            #expect(answer.name == "abc")
            #expect(answer.capacity > 5_000 && answer.capacity <= 9_000)
            let endless = try await client.call(TestMethods.context, Vessel_Vessel(), deadline: .never)
            #expect(endless.capacity == -1)
        }
    }

    @Test("a call past its deadline ends here and at the server")
    func deadline() async throws {
        try await withPython { server, client in
            let status = await client.status(
                of: TestMethods.wait, Vessel_Vessel(capacity: 3_000), within: .milliseconds(300))
            #expect(status.code == .deadlineExceeded)
            try await eventually("the end at the server") { server.saidCount("ended") == 1 }
        }
    }

    @Test("cancelling the task cancels the call at the server, long before its deadline")
    func cancel() async throws {
        try await withPython { server, client in
            let task = Task { await client.status(of: TestMethods.wait, Vessel_Vessel(capacity: 4_000)) }
            try await eventually("the call") { server.saidCount("waits") == 1 }
            task.cancel()
            #expect(await task.value.code == .cancelled)
            // The handler itself sleeps on; that the server heard of it is what counts.
            try await eventually("the end at the server", within: .seconds(3)) { server.saidCount("ended") == 1 }
        }
    }

    @Test("calls queue for a server that takes two at a time")
    func concurrentStreams() async throws {
        try await withPython(["grpc.max_concurrent_streams=2"]) { _, client in
            let names = try await withThrowingTaskGroup(of: String.self) { tasks in
                for number in 0..<60 { tasks.addTask { try await client.echo("\(number)").name } }
                return try await tasks.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(names.count == 60)
        }
    }

    @Test("a server that stops gracefully, and one that comes after it, lose no idempotent call")
    func drain() async throws {
        let first = try await PythonServer.start()
        try await withClient(first.port) { client in
            _ = try await client.echo("first")
            let pending = Task { await client.status(of: TestMethods.wait, Vessel_Vessel(capacity: 1_000)) }
            try await eventually("the call") { first.saidCount("waits") == 1 }
            first.run.send(15)
            // Taken before the GOAWAY: finishes.
            #expect(await pending.value == .ok)
            #expect(try await first.run.status() == 0)
            let second = try await PythonServer.start(port: first.port)
            try await eventually("an answer of the second") {
                await client.status(of: TestMethods.echo, within: .seconds(1)) == .ok
            }
            withExtendedLifetime(second) {}
        }
    }

    @Test("a server that is killed is UNAVAILABLE, and is found again when it is back")
    func killed() async throws {
        let first = try await PythonServer.start()
        try await withClient(first.port) { client in
            _ = try await client.echo("first")
            let pending = Task { await client.status(of: TestMethods.wait, Vessel_Vessel(capacity: 10_000)) }
            try await eventually("the call") { first.saidCount("waits") == 1 }
            first.run.send(9)
            #expect(await pending.value.code == .unavailable)
            #expect(await client.status(of: TestMethods.echo).code == .unavailable)
            let second = try await PythonServer.start(port: first.port)
            try await eventually("an answer of the second") {
                await client.status(of: TestMethods.echo, within: .seconds(1)) == .ok
            }
            withExtendedLifetime(second) {}
        }
    }
}
