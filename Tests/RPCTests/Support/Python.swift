import Foundation
import TestSupport

/// The strangers: grpcio as client and as server, run by the tests' Python.
enum Python {
    static func script(_ name: String) -> String {
        let support = (#filePath as NSString).deletingLastPathComponent as NSString
        return (support.deletingLastPathComponent as NSString).appendingPathComponent("Scripts/\(name)")
    }

    /// Runs a scenario of grpc_client.py; answers what it said, line by line.
    static func call(
        _ port: Int, _ scenario: String, host: String = "127.0.0.1", certificateAuthority: String = "-",
        _ arguments: [String] = []
    ) async throws -> [Said] {
        let output = try await Tool.run(
            Tool.python,
            [script("grpc_client.py"), "\(host):\(port)", certificateAuthority, scenario] + arguments)
        return try lines(output)
    }

    static func lines(_ output: String) throws -> [Said] {
        try output.split(separator: "\n").map { try JSONDecoder().decode(Said.self, from: Data($0.utf8)) }
    }

    /// One line of grpc_client.py.
    struct Said: Decodable {
        var code: String?
        var message: String?
        var trailers: [String: String]?
        var bytes: Int?
        var id: String?
        var name: String?
        var owner_id: String?
        var capacity: Int?
        var good: Int?
        var seconds: Double?
        var cancelled: Bool?
        var started: Bool?
        var pending: Bool?
        var states: [String]?
    }
}

/// grpc_server.py, killed with the object.
struct PythonServer: Sendable {
    let run: ProcessRun
    let port: Int

    /// - Parameter options: grpcio's channel arguments, such as `grpc.max_concurrent_streams=2`.
    static func start(port: Int = 0, _ options: [String] = []) async throws -> PythonServer {
        let run = try ProcessRun(Tool.python, [Python.script("grpc_server.py"), "\(port)"] + options)
        try await run.waitForOutput("port ")
        let digits = run.output.split(separator: "\n").first?.dropFirst("port ".count) ?? ""
        guard let port = Int(digits) else { throw Missing() }
        return PythonServer(run: run, port: port)
    }

    func saidCount(_ line: String) -> Int {
        run.output.split(separator: "\n").count { $0 == line }
    }

    private struct Missing: Error {}
}
