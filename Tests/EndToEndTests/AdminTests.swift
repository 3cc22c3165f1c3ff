import Foundation
import TestSupport
import Testing

/// What probes and collectors see of the two programs.
@Suite("Probes and metrics", .timeLimit(.minutes(10)))
struct AdminTests {
    @Test("both programs answer probes, and their metrics parse and count what happens")
    func endpoints() async throws {
        let folder = try TemporaryFolder()
        let fleet = try await Fleet(store: "sqlite:" + folder.file("vessel.db"))
        let runs = try await fleet.start()
        for program in [fleet.vessel, fleet.gateway] {
            #expect(try await Web.get(program.adminPort, "/healthz").status == 200)
            #expect(try await Web.get(program.adminPort, "/else").status == 404)
        }
        try await eventually("readiness") { try await Web.get(fleet.gateway.adminPort, "/readyz").status == 200 }

        for _ in 0..<3 { #expect(try await fleet.create(VesselJSON()).status == 200) }
        #expect(try await fleet.create(VesselJSON(capacity: 0)).status == 400)
        #expect(try await fleet.find(capacity: 1, weight: 1).status == 200)
        #expect(try await fleet.find(capacity: 900, weight: 1).status == 404)

        let vessel = try await metrics(of: fleet.vessel)
        #expect(vessel.calls("vessel.VesselService/Create", "OK") == 3)
        #expect(vessel.calls("vessel.VesselService/Create", "INVALID_ARGUMENT") == 1)
        #expect(vessel.calls("vessel.VesselService/FindAvailable", "OK") == 1)
        #expect(vessel.calls("vessel.VesselService/FindAvailable", "NOT_FOUND") == 1)
        #expect((vessel.value("rpc_server_connections") ?? 0) >= 1)
        for pool in ["vessels-read", "vessels-write"] {
            for gauge in ["pool_threads", "pool_connected"] {
                #expect((vessel.value(gauge, ["pool": pool]) ?? 0) >= 1, "\(gauge) of \(pool)")
            }
            #expect(vessel.value("pool_queued", ["pool": pool]) == 0)
            #expect(vessel.value("pool_running", ["pool": pool]) == 0)
            #expect((vessel.value("pool_queue_capacity", ["pool": pool]) ?? 0) > 0)
        }

        let gateway = try await metrics(of: fleet.gateway)
        #expect(gateway.calls("vessel.VesselService/Create", "OK", kind: "client") == 3)
        #expect(gateway.calls("vessel.VesselService/Create", "INVALID_ARGUMENT", kind: "client") == 1)
        #expect(gateway.calls("vessel.VesselService/FindAvailable", "NOT_FOUND", kind: "client") == 1)
        #expect((gateway.value("rpc_client_connections") ?? 0) >= 1)
        let caller = try await WebConnection.open(fleet.gateway.port)
        _ = try await caller.rpc(VesselJSON.find(capacity: 1, weight: 1))
        #expect((try await metrics(of: fleet.gateway).value("http_server_open_connections") ?? 0) >= 1)
        await caller.close()
        #expect(try await runs.gateway.stop() == 0)
        #expect(try await runs.vessel.stop() == 0)
    }

    @Test("a service counts the calls that it makes, with how they ended")
    func callsOfServices() async throws {
        let folder = try TemporaryFolder()
        let harbor = try Harbor(.embedded(in: folder))
        let runs = try await harbor.start()
        let caller = Caller(port: harbor.gateway.port)
        let token = try await caller.signUp("ewan@example.com").text("token.token")
        for (weight, status) in [(1, 200), (900_000_000, 404)] {
            let booked = try await caller.rpc(
                "consignment", "ConsignmentService.Create",
                #"{"weight": \#(weight), "containers": [{"origin": "Derby"}]}"#, token: token)
            #expect(booked.status == status, "\(booked.body)")
        }
        let consignment = try await metrics(of: harbor.consignment)
        #expect(consignment.calls("vessel.VesselService/FindAvailable", "OK", kind: "client") == 1)
        #expect(consignment.calls("vessel.VesselService/FindAvailable", "NOT_FOUND", kind: "client") == 1)
        #expect(consignment.calls("vessel.VesselService/Reserve", "OK", kind: "client") == 1)
        #expect((consignment.calls("user.UserService/ValidateToken", "OK", kind: "client") ?? 0) >= 1)
        try await eventually("the event's delivery") {
            try await metrics(of: harbor.user).calls("email.EmailService/Process", "OK", kind: "client") == 1
        }
        try await Harbor.stop(runs)
    }

    /// Each line is understood, each family has its type, histograms grow towards their count.
    private func metrics(of program: Program) async throws -> Metrics {
        let answer = try await Web.get(program.adminPort, "/metrics")
        #expect(answer.status == 200)
        #expect(answer.headers.first(name: "content-type")?.hasPrefix("text/plain; version=0.0.4") == true)
        let metrics = Metrics(answer.body)
        #expect(metrics.misunderstood.isEmpty, "\(metrics.misunderstood)")
        for sample in metrics.samples {
            let family = sample.name.replacing(/_(bucket|sum|count)$/, with: "")
            #expect(metrics.types[sample.name] ?? metrics.types[family] != nil, "\(sample.name) has no type")
        }
        #expect((metrics.value("process_resident_memory_bytes") ?? 0) > 1_000_000)
        #expect((metrics.value("process_open_fds") ?? 0) > 3)
        #expect((metrics.value("process_cpu_seconds_total") ?? 0) > 0)
        let family =
            program.executable.hasSuffix("gateway")
            ? "rpc_client_call_duration_seconds" : "rpc_server_call_duration_seconds"
        let buckets = metrics.samples.filter { $0.name == family + "_bucket" }
        #expect(!buckets.isEmpty)
        for (group, samples) in Dictionary(grouping: buckets, by: { $0.labels.filter { $0.key != "le" } }) {
            #expect(samples.map(\.value) == samples.map(\.value).sorted(), "\(group)")
            #expect(samples.last?.labels["le"] == "+Inf")
            #expect(samples.last?.value == metrics.value(family + "_count", group))
        }
        return metrics
    }
}

extension Metrics {
    fileprivate func calls(_ method: String, _ status: String, kind: String = "server") -> Double? {
        value(
            "rpc_\(kind)_call_duration_seconds_count", ["rpc_method": method, "rpc_response_status_code": status])
    }
}
