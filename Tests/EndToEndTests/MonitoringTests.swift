import Contracts
import Foundation
import RPC
import TestSupport
import Testing

/// The repository, for tests that hold its documents against running programs.
enum Documents {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
}

/// What a collector and those behind it see of all five programs.
@Suite("Metrics, dashboard and alerts", .timeLimit(.minutes(10)))
struct MonitoringTests {
    /// Of a page: how many series it has. Buckets belong to their series.
    private func series(_ program: Program) async throws -> Int {
        Metrics(try await Web.get(program.adminPort, "/metrics").body).samples.filter { $0.labels["le"] == nil }.count
    }

    /// A little of everything, errors that services are to blame for included.
    private func use(_ harbor: Harbor) async throws {
        let caller = Caller(port: harbor.gateway.port)
        let token = try await caller.signUp("ada@example.com").text("token.token")
        _ = try await caller.rpc(
            "consignment", "ConsignmentService.Create", #"{"weight": 5, "containers": [{"customer_id": "c"}]}"#,
            token: token)
        _ = try await Web.get(harbor.gateway.port, "/services")
        for program in [harbor.vessel, harbor.email, harbor.user, harbor.consignment] {
            try await Self.callNothing(at: program)
        }
    }

    /// An unknown method, which is an error by the conventions.
    static func callNothing(at program: Program) async throws {
        try await withClient(of: program) { client in
            let method = Method<Vessel_Vessel, Vessel_Vessel>(service: "no.Service", name: "Nothing")
            let code = await client.status { try await $0.call(method, .init(), deadline: .after(.seconds(20))) }
            #expect(code == .unimplemented || Task.isCancelled)
        }
    }

    @Test("every page parses with Prometheus' parser and has what alerts and dashboard ask for")
    func names() async throws {
        let folder = try TemporaryFolder()
        let smtp = try await SMTPServer()
        let receiver = try await TraceReceiver()
        let harbor = try Harbor(
            .embedded(in: folder), smtp: "smtp://127.0.0.1:\(smtp.port)",
            environment: ["SHIPPY_VERSION": "1.2.3", "RATE_LIMIT": "10000"].merging(receiver.environment) { $1 })
        let runs = try await harbor.start()
        try await use(harbor)
        // Before it is gone.
        let consignment = try await Web.get(harbor.consignment.adminPort, "/metrics").body
        // Without its service the gateway fails by itself.
        try await runs[3].crash()
        let caller = Caller(port: harbor.gateway.port)
        #expect(try await caller.rpc("consignment", "ConsignmentService.Get", "{}").status == 503)

        var pages: [String] = []
        for (index, program) in harbor.programs.enumerated() {
            let text = index == 3 ? consignment : try await Web.get(program.adminPort, "/metrics").body
            let page = Metrics(text)
            #expect(page.misunderstood.isEmpty)
            #expect(page.value("shippy_build_info", ["version": "1.2.3"]) == 1)
            #expect((page.value("process_threads") ?? 0) >= 2)
            #expect((page.value("event_loop_lag_seconds_count") ?? 0) >= 1)
            let file = folder.file("page-\(index).txt")
            try text.write(toFile: file, atomically: true, encoding: .utf8)
            pages.append(file)
        }
        let script = Documents.root.appendingPathComponent("Scripts/check_monitoring.py").path
        let output = try await Tool.run(Tool.python, [script] + pages)
        #expect(output.contains("no findings"))
        try await Harbor.stop([runs[0], runs[1], runs[2], runs[4]])
    }

    @Test("a booking and its end show in the metrics of bookings and of room")
    func bookings() async throws {
        let folder = try TemporaryFolder()
        var harbor = try Harbor(.embedded(in: folder))
        harbor.vessel.arguments.removeAll { $0 == "--seed" }
        let runs = try await harbor.start()
        let caller = Caller(port: harbor.gateway.port)
        let token = try await caller.signUp("ada@example.com").text("token.token")
        func metrics(of program: Program) async throws -> Metrics {
            Metrics(try await Web.get(program.adminPort, "/metrics").body)
        }
        func book() async throws -> WebAnswer {
            try await caller.rpc(
                "consignment", "ConsignmentService.Create", #"{"weight": 400, "containers": [{}, {}]}"#, token: token)
        }
        /// The room that the vessel service counts every few seconds.
        func shows(containers: Double, kilograms: Double) async throws {
            try await eventually("room for \(containers) containers and \(kilograms) kg", within: .seconds(60)) {
                let page = try await metrics(of: harbor.vessel)
                return page.value("vessel_largest_room_containers") == containers
                    && page.value("vessel_largest_room_kilograms") == kilograms
            }
        }
        let stored = try await caller.rpc(
            "vessel", "VesselService.Create", #"{"name": "V", "capacity": 3, "max_weight": 1000}"#, token: token)
        #expect(stored.status == 200)
        let booked = try await book()
        #expect(booked.status == 200)
        #expect(try await book().status == 404)
        try await shows(containers: 1, kilograms: 600)
        let cancelled = try await caller.rpc(
            "consignment", "ConsignmentService.Cancel", #"{"id": "\#(booked.text("consignment.id"))"}"#, token: token)
        #expect(cancelled.status == 200)

        var page = try await metrics(of: harbor.consignment)
        for (outcome, count) in [
            ("booked", 1), ("fleet_full", 1), ("cancelled", 1), ("undone", 0), ("unsettled", 0),
        ] as [(String, Double)] {
            #expect(page.value("bookings_total", ["outcome": outcome]) == count, "\(outcome)")
        }
        func waiting(_ count: Double) async throws {
            try await eventually("\(count) bookings that wait", within: .seconds(60)) {
                page = try await metrics(of: harbor.consignment)
                return page.value("bookings_waiting") == count
            }
        }
        try await waiting(0)
        #expect(page.value("bookings_oldest_waiting_seconds") == 0)

        // What a cancelled booking still owes waits while the vessel service is away, and ends when it is back.
        let another = try await book()
        #expect(another.status == 200)
        try await runs[0].crash()
        let owed = try await caller.rpc(
            "consignment", "ConsignmentService.Cancel", #"{"id": "\#(another.text("consignment.id"))"}"#, token: token)
        #expect(owed.text("consignment.status") == "CANCELLED")
        try await waiting(1)
        #expect((page.value("bookings_oldest_waiting_seconds") ?? 0) > 0)
        try await eventually("a failed try", within: .seconds(60)) {
            (try await metrics(of: harbor.consignment).value("bookings_retried_total") ?? 0) >= 1
        }
        let vessel = try await harbor.vessel.startReady()
        try await waiting(0)
        try await shows(containers: 3, kilograms: 1_000)
        try await Harbor.stop([vessel] + runs.dropFirst())
    }

    @Test("whatever callers make up, the pages have no more series than before")
    func bounded() async throws {
        let folder = try TemporaryFolder()
        let harbor = try Harbor(.embedded(in: folder), environment: ["LOG_CALLS": "none"])
        let runs = try await harbor.start()
        try await use(harbor)
        try await flood(harbor, 200, "a")
        var before: [Int] = []
        for program in harbor.programs { before.append(try await series(program)) }
        try await flood(harbor, 2_000, "b")
        for (program, count) in zip(harbor.programs, before) {
            #expect(try await series(program) == count, "\(program.executable)")
            #expect(count < 200, "\(program.executable)")
        }
        try await Harbor.stop(runs)
    }

    /// Methods, paths, services, names, people and user agents that were never seen before.
    private func flood(_ harbor: Harbor, _ count: Int, _ kind: String) async throws {
        let connection = try await WebConnection.open(harbor.gateway.port)
        let methods: [String] = ["PROPFIND", "MKCOL", "PURGE", "SEARCH", "PUT", "DELETE", "PATCH", "GET"]
        for number in 0..<count {
            let name = "\(kind)\(number)"
            let answer =
                switch number % 5 {
                case 0:
                    try await connection.send(
                        .RAW(value: methods[number / 5 % methods.count]), "/\(name)?q=\(name)",
                        headers: ["user-agent": name])
                case 1: try await connection.rpc(#"{"service": "\#(name)", "method": "VesselService.Create"}"#)
                case 2: try await connection.rpc(#"{"service": "vessel", "method": "\#(name).\#(name)"}"#)
                case 3: try await connection.send(.POST, "/vessel/\(name)/Create", headers: ["x-request-id": name])
                default:
                    try await connection.rpc(
                        #"{"service": "user", "method": "UserService.Get", "request": {"id": "\#(name)"}}"#,
                        headers: ["authorization": "Bearer \(name)"])
                }
            #expect((400..<500).contains(answer.status), "\(answer)")
        }
        await connection.close()
        try await withClient(of: harbor.vessel) { client in
            for number in 0..<(count / 5) {
                let method = Method<Vessel_Vessel, Vessel_Vessel>(service: "\(kind).S\(number)", name: "M\(number)")
                let code = await client.status { client in
                    try await client.call(
                        method, .init(), metadata: ["user-agent": "\(kind)\(number)"], deadline: .after(.seconds(20)))
                }
                #expect(code == .unimplemented)
            }
        }
    }

    @Test("pages read under load are consistent: buckets grow towards their count, and no counter falls")
    func underLoad() async throws {
        let folder = try TemporaryFolder()
        let fleet = try await Fleet(store: "sqlite:" + folder.file("vessel.db"))
        let runs = try await fleet.start()
        let load = Task {
            let connection = try await WebConnection.open(fleet.gateway.port)
            var count = 0
            while !Task.isCancelled {
                _ = try await connection.rpc(VesselJSON.find(capacity: 1, weight: 1))
                count += 1
            }
            await connection.close()
            return count
        }
        var last: [String: Double] = [:]
        for round in 0..<30 {
            for program in [fleet.vessel, fleet.gateway] {
                let page = Metrics(try await Web.get(program.adminPort, "/metrics").body)
                var sums: [String: Double] = [:]
                for sample in page.samples {
                    let labels = sample.labels.filter { $0.key != "le" }.sorted { $0.key < $1.key }
                    let name = "\(program.adminPort) \(sample.name) \(labels)"
                    if sample.name.hasSuffix("_bucket") {
                        #expect(sample.value >= sums[name] ?? 0, "\(name) in round \(round)")
                        sums[name] = sample.value
                    }
                    let isCounter = page.types[sample.name] == "counter" || sample.name.hasSuffix("_count")
                    guard isCounter else { continue }
                    #expect(sample.value >= last[name] ?? 0, "\(name) in round \(round)")
                    last[name] = sample.value
                    if sample.name.hasSuffix("_count") {
                        let bucket = name.replacing("_count ", with: "_bucket ")
                        #expect(sums[bucket] == sample.value, "\(name) in round \(round)")
                    }
                    #expect((page.value("http_server_active_requests") ?? 0) < 100)
                }
            }
        }
        load.cancel()
        let calls = try await load.value
        let page = Metrics(try await Web.get(fleet.gateway.adminPort, "/metrics").body)
        let counted = page.value("http_server_request_duration_seconds_count", ["http_route": "/rpc"])
        #expect(counted == Double(calls) && calls > 0)
        #expect(try await runs.gateway.stop() == 0)
        #expect(try await runs.vessel.stop() == 0)
    }

    @Test("with OTEL_SDK_DISABLED calls are answered and not counted")
    func disabled() async throws {
        let folder = try TemporaryFolder()
        let harbor = try Harbor(.embedded(in: folder), environment: ["OTEL_SDK_DISABLED": "true"])
        let runs = try await harbor.start()
        #expect(try await Caller(port: harbor.gateway.port).signUp("ada@example.com").status == 200)
        for program in harbor.programs {
            let page = Metrics(try await Web.get(program.adminPort, "/metrics").body)
            let counted = page.samples.filter { $0.name.contains("duration") || $0.name.contains("active") }
            #expect(counted.isEmpty, "\(counted)")
            #expect(page.value("shippy_ready") == 1)
        }
        try await Harbor.stop(runs)
    }
}
