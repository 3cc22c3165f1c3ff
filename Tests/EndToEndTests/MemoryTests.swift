import Foundation
import TestSupport
import Testing

extension LoadTests {
    /// Attackers make a process hold as much as they can. Over all connections it keeps to its limit, and serves other
    /// callers meanwhile.
    @Suite("Memory of a process", .timeLimit(.minutes(15)))
    struct MemoryTests {
        private static let limit = "256Mi"
        /// Most memory that may be resident, in KiB, in a pod of 256 MiB.
        private static let residentKiBMax = 200 * 1024
        /// Duration of each attack.
        private static let attackTime: Duration = .seconds(6)
        /// Longest wait of another caller during an attack. Long, because a debug build is a hundred times slower than
        /// a release.
        private static let patience: Duration = .seconds(30)

        @Test("the gateway keeps to its limit under each attack and under all at once, and serves others")
        func gateway() async throws {
            let town = try await Town()
            for attacks in [
                ["empty-containers"], ["unfinished-bodies"], ["unfinished-small-bodies"], ["unfinished-heads"],
                ["complete-heads"], ["pipelines"], ["h2-unfinished-bodies"], ["shut-window"], ["trickle"],
                ["unread-listings"],
                ["unfinished-bodies", "h2-unfinished-bodies", "empty-containers"],
                ["shut-window", "trickle", "unread-listings", "pipelines"],
                [
                    "empty-containers", "unfinished-bodies", "h2-unfinished-bodies", "shut-window", "trickle",
                    "unread-listings", "pipelines", "unfinished-heads", "complete-heads",
                ],
            ] {
                try await town.endure(attacks, on: town.harbor.gateway, town.gateway)
            }
            try await town.stop()
        }

        @Test("a service keeps to its limit under attacks over gRPC, and serves others")
        func service() async throws {
            let town = try await Town()
            for attacks in [
                ["grpc-empty-containers"], ["grpc-unfinished"], ["grpc-shut-window"],
                ["grpc-empty-containers", "grpc-unfinished", "grpc-shut-window"],
            ] {
                try await town.endure(attacks, on: town.harbor.consignment, town.consignment)
            }
            try await town.stop()
        }

        /// All programs, with consignments whose texts take six times as many bytes in JSON.
        private struct Town {
            let folder: TemporaryFolder
            let harbor: Harbor
            let runs: [ProcessRun]
            let token: String

            init() async throws {
                folder = try TemporaryFolder()
                // Memory must be the only reason for refusals here.
                harbor = try Harbor(
                    .embedded(in: folder),
                    environment: ["MEMORY_LIMIT": limit, "OVERLOAD_CONTROL": "off", "UPSTREAM_TIMEOUT": "30"])
                runs = try await harbor.start()
                let caller = Caller(port: harbor.gateway.port)
                token = try await caller.signUp("memory@example.com").text("token.token")
                let text = String(repeating: "\\u0001", count: 190)
                let container =
                    #"{"id": "\#(text)", "customer_id": "\#(text)", "origin": "\#(text)", "user_id": "\#(text)"}"#
                let containers = Array(repeating: container, count: 30).joined(separator: ",")
                for _ in 0..<8 {
                    let answer = try await caller.rpc(
                        "consignment", "ConsignmentService.Create",
                        #"{"weight": 1, "containers": [\#(containers)]}"#, token: token)
                    try #require(answer.status == 200, "\(answer.body.prefix(1_000))")
                }
            }

            var gateway: ProcessRun { runs[4] }
            var consignment: ProcessRun { runs[3] }

            func endure(_ attacks: [String], on program: Program, _ run: ProcessRun) async throws {
                let attacker = try ProcessRun(
                    Tool.python, [Script.path("memory.py"), "\(program.port)", token] + attacks)
                try await attacker.waitForOutput("held", within: .seconds(40))
                let clock = ContinuousClock()
                let end = clock.now + attackTime
                var most = 0
                var served = 0
                var slowest = Duration.zero
                while clock.now < end {
                    let start = clock.now
                    let answer = try await Web.rpc(
                        harbor.gateway.port, VesselJSON.find(capacity: 500, weight: 200_000))
                    #expect(answer.status == 200, "\(attacks): \(answer.body.prefix(500))")
                    served += 1
                    slowest = max(slowest, clock.now - start)
                    most = max(most, try #require(run.residentKiB, "\(attacks) ended it: \(run.errors)"))
                    try await Task.sleep(for: .milliseconds(20))
                }
                // The kernel's peak; it stays from one attack to the next.
                let peak = try #require(run.peakResidentKiB)
                FileHandle.standardError.write(
                    Data("\(attacks): \(served) served, slowest \(slowest), resident \(most), peak \(peak) KiB\n".utf8))
                #expect(most < residentKiBMax, "\(attacks): \(most) KiB")
                #expect(peak < residentKiBMax, "\(attacks): at most \(peak) KiB")
                #expect(slowest < patience, "\(attacks): \(slowest)")
                try await attacker.crash()
            }

            func stop() async throws {
                try await Harbor.stop(runs)
                withExtendedLifetime(folder) {}
            }
        }
    }
}

extension ProcessRun {
    /// Peak of resident memory, in KiB; `nil` when the process does not run.
    fileprivate var peakResidentKiB: Int? {
        guard let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8) else { return nil }
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }
    }
}
