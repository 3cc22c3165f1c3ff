import Foundation
import TestSupport
import Testing

/// Tools that know nothing of us against the real vessel service.
@Suite("Strangers", .timeLimit(.minutes(10)))
struct StrangersTests {
    private struct Started {
        let vessel: Program
        let run: ProcessRun
        let folder: TemporaryFolder
    }

    private func start() async throws -> Started {
        let folder = try TemporaryFolder()
        let vessel = try await Program.vessel(store: "sqlite:" + folder.file("vessel.db"), ["--seed"])
        return Started(vessel: vessel, run: try await vessel.startReady(), folder: folder)
    }

    /// `FindAvailable` of the seed as one gRPC message in a file.
    private func request(in folder: TemporaryFolder) throws -> String {
        let path = folder.file("request")
        // Not compressed, 4 bytes; capacity=1: 500, with nothing asked of the weight; padded by max_weight=2: 0.
        try Data([0, 0, 0, 0, 5, 0x08, 0xf4, 0x03, 0x10, 0x00]).write(to: URL(fileURLWithPath: path))
        return path
    }

    @Test("Python's grpcio is answered as the contract says")
    func grpcio() async throws {
        let started = try await start()
        let output = try await Tool.run(
            Tool.python, [Script.path("vessel_client.py"), "127.0.0.1:\(started.vessel.port)"])
        #expect(
            output.split(separator: "\n") == [
                "seeded vessel001", "created", "found", "repeated",
                "ALREADY_EXISTS: a vessel with the id ID exists already",
                "INVALID_ARGUMENT: name must not be empty",
                "NOT_FOUND: no vessel carries 100000 containers and 5 kg",
                "INVALID_ARGUMENT: capacity must not be negative",
                "UNIMPLEMENTED", "INTERNAL", "serving", "serving", "NOT_FOUND",
            ])
        #expect(try await started.run.stop() == 0)
    }

    @Test("h2load gets an answer to each of its calls, and each is a good one")
    func h2load() async throws {
        let started = try await start()
        let calls = 4_000
        let output = try await Tool.run(
            "h2load",
            [
                "-n", "\(calls)", "-c", "4", "-m", "32", "-d", try request(in: started.folder),
                "-H", "content-type: application/grpc", "-H", "te: trailers",
                "http://127.0.0.1:\(started.vessel.port)/vessel.VesselService/FindAvailable",
            ])
        #expect(output.contains("\(calls) done, \(calls) succeeded, 0 failed, 0 errored, 0 timeout"), "\(output)")
        let metrics = Metrics(try await Web.get(started.vessel.adminPort, "/metrics").body)
        let good = metrics.value(
            "rpc_server_call_duration_seconds_count",
            ["rpc_method": "vessel.VesselService/FindAvailable", "rpc_response_status_code": "OK"])
        #expect(good == Double(calls))
        #expect(try await started.run.stop() == 0)
    }

    @Test("nghttp sees headers, message and trailers of gRPC")
    func nghttp() async throws {
        let started = try await start()
        let output = try await Tool.run(
            "nghttp",
            [
                "-v", "--no-dep", "-d", try request(in: started.folder), "-H", ":method: POST",
                "-H", "content-type: application/grpc", "-H", "te: trailers",
                "http://127.0.0.1:\(started.vessel.port)/vessel.VesselService/FindAvailable",
            ])
        for wanted in [":status: 200", "content-type: application/grpc", "grpc-status: 0", "Kane's Salty Secret"] {
            #expect(output.contains(wanted), "\(wanted)")
        }
        #expect(try await started.run.stop() == 0)
    }

    @Test("curl with prior knowledge gets a message, and 415 for what is no gRPC")
    func curl() async throws {
        let started = try await start()
        let url = "http://127.0.0.1:\(started.vessel.port)/vessel.VesselService/FindAvailable"
        let data = try request(in: started.folder)
        let base = ["-s", "--http2-prior-knowledge", "--data-binary", "@\(data)", "-D", "-", "-o"]
        let body = started.folder.file("body")
        let good = try await Tool.run("curl", base + [body, "-H", "content-type: application/grpc", url])
        #expect(good.contains("HTTP/2 200") && good.contains("grpc-status: 0"), "\(good)")
        let message = try Data(contentsOf: URL(fileURLWithPath: body))
        #expect(String(decoding: message, as: UTF8.self).contains("Kane's Salty Secret"))
        let bad = try await Tool.run("curl", base + ["/dev/null", "-H", "content-type: application/json", url])
        #expect(bad.contains("HTTP/2 415"), "\(bad)")
        #expect(try await started.run.stop() == 0)
    }
}
