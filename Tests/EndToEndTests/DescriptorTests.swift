import Foundation
import TestSupport
import Testing

/// Programs with few file descriptors.
@Suite("File descriptors", .timeLimit(.minutes(10)))
struct DescriptorTests {
    /// A gateway that may open about 40 files more than at its start.
    private func start() async throws -> (program: Program, run: ProcessRun) {
        var program = try Program.gateway(to: [:], ["--services=vessel"])
        let script = "ulimit -n 160; for i in $(seq 20 110); do eval \"exec $i</dev/null\"; done; exec \"$0\" \"$@\""
        program.arguments = ["-c", script, program.executable] + program.arguments.filter { $0 != "--services=" }
        program.executable = "/bin/bash"
        return (program, try await program.start())
    }

    /// Processor time that a process has used, in seconds.
    private func processorSeconds(_ run: ProcessRun) throws -> Double {
        let text = try String(contentsOfFile: "/proc/\(run.pid)/stat", encoding: .utf8)
        let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
        let ticks = [11, 12].compactMap { fields.count > $0 + 1 ? Double(fields[$0 + 1]) : nil }
        return ticks.reduce(0, +) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    @Test("idle connections that take every descriptor do not keep others out")
    func idle() async throws {
        let (program, run) = try await start()
        try await onThread {
            let idle = try (0..<150).map { _ in try RawPeer(port: program.port) }
            let newcomer = try RawPeer(port: program.port)
            newcomer.send(Array("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".utf8))
            let answer = String(decoding: newcomer.receive(patience: 15) ?? [], as: UTF8.self)
            #expect(answer.hasPrefix("HTTP/1.1 200"))
            withExtendedLifetime(idle) {}
        }
        #expect(run.output.components(separatedBy: "no connections are accepted for now").count == 2)
        #expect(try await run.stop() == 0)
    }

    @Test("when busy connections take them all, the listener pauses, and accepts again when they have ended")
    func busy() async throws {
        let (program, run) = try await start()
        try await onThread {
            // Unfinished requests, which end after 10 s.
            let busy = try (0..<70).map { _ in
                let peer = try RawPeer(port: program.port)
                peer.send(Array("GET /healthz HTTP/1.1\r\n".utf8))
                return peer
            }
            withExtendedLifetime(busy) {
                let deadline = Date().addingTimeInterval(5)
                while !run.output.contains("no connections are accepted for now"), Date() < deadline { usleep(20_000) }
            }
            let before = try processorSeconds(run)
            let began = Date()
            while Date().timeIntervalSince(began) < 2 { usleep(50_000) }
            let used = try processorSeconds(run) - before
            // A loop that retried without pause would take a whole processor.
            #expect(used < 1, "\(used) s of 2 s")
            let newcomer = try RawPeer(port: program.port)
            newcomer.send(Array("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".utf8))
            let answer = String(decoding: newcomer.receive(patience: 30) ?? [], as: UTF8.self)
            #expect(answer.hasPrefix("HTTP/1.1 200"))
        }
        #expect(run.output.components(separatedBy: "no connections are accepted for now").count == 2)
        #expect(try await run.stop() == 0)
    }
}
