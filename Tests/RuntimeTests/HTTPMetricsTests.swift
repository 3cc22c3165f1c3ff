import Foundation
import HTTP
import NIOPosix
import RPC
import Synchronization
import TestSupport
import Testing

@testable import Runtime

@Suite("Metrics of HTTP requests and event loops")
struct HTTPMetricsTests {
    private func samples(_ registry: MetricsRegistry) -> [Substring] {
        registry.render().split(separator: "\n").filter { !$0.hasPrefix("#") }
    }

    @Test("requests are counted by method, route and status, and those in progress are seen")
    func counts() {
        let registry = MetricsRegistry()
        let metrics = HTTPMetrics(registry: registry, scheme: "http", routes: ["/rpc"])
        for _ in 0..<4 { metrics.requestBegan(.POST) }
        metrics.requestEnded(.POST, route: 0, status: 200, nanoseconds: 300_000)
        metrics.requestEnded(.POST, route: 0, status: 503, nanoseconds: 1_000)
        metrics.requestEnded(.POST, route: -1, status: 404, nanoseconds: 1_000)
        let text = registry.render()
        let name = "http_server_request_duration_seconds_count"
        let post = #"http_request_method="POST",http_response_status_code"#
        #expect(text.contains(#"http_server_active_requests{http_request_method="POST",url_scheme="http"} 1"#))
        #expect(text.contains(#"\#(name){\#(post)="200",http_route="/rpc",url_scheme="http"} 1"#))
        #expect(text.contains(#"\#(name){error_type="503",\#(post)="503",http_route="/rpc",url_scheme="http"} 1"#))
        #expect(text.contains(#"\#(name){\#(post)="404",url_scheme="http"} 1"#))
        #expect(
            text.contains(#"_bucket{\#(post)="200",http_route="/rpc",url_scheme="http",le="0.00025"} 0"#)
                && text.contains(#"_bucket{\#(post)="200",http_route="/rpc",url_scheme="http",le="0.0005"} 1"#))
    }

    @Test("whatever callers and services make up, the series stay few")
    func bounded() {
        let registry = MetricsRegistry()
        let metrics = HTTPMetrics(registry: registry, scheme: "http", routes: ["/rpc"])
        let calls = RPCMetrics(registry: registry)
        func flood(_ count: Int) {
            for number in 0..<count {
                let method = HTTPRequest.Method.other("M\(number)")
                metrics.requestBegan(method)
                metrics.requestEnded(method, route: number, status: 1_000 + number, nanoseconds: Int64(number))
                _ = calls.recorder(service: "s\(number)", method: "m")
            }
        }
        flood(5_000)
        let first = samples(registry).count
        flood(20_000)
        #expect(samples(registry).count == first)
        #expect(samples(registry).contains { $0.contains(#"_OTHER",http_response_status_code="_OTHER""#) })
        #expect(samples(registry).filter { $0.hasPrefix("http_") }.count < 100)
    }

    @Test("many threads lose no request")
    func concurrent() async {
        let registry = MetricsRegistry()
        let metrics = HTTPMetrics(registry: registry, scheme: "https", routes: [])
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<10_000 {
                        metrics.requestBegan(.GET)
                        metrics.requestEnded(.GET, route: 0, status: 200, nanoseconds: 1_000)
                    }
                }
            }
        }
        let text = registry.render()
        #expect(text.contains(#"active_requests{http_request_method="GET",url_scheme="https"} 0"#))
        #expect(
            text.contains(
                #"_count{http_request_method="GET",http_response_status_code="200",url_scheme="https"} 80000"#))
    }

    @Test("with telemetry off no calls are recorded")
    func disabled() {
        let metrics = RPCMetrics(registry: MetricsRegistry(), isEnabled: false)
        #expect(metrics.recorder(service: "s", method: "m") == nil)
    }

    @Test("a loop that is held up shows how late it is, while it is and afterwards")
    func loopLag() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let worst = Latest()
        let lag = LoopLag(group: group, interval: .milliseconds(10)) { worst.record($0) }
        lag.start()
        let loop = group.next()
        let index = try #require(group.makeIterator().map { $0 === loop }.firstIndex(of: true))
        // Until it was seen, however long the machine keeps this test waiting.
        let wasSeen = DispatchSemaphore(value: 0)
        loop.execute { _ = wasSeen.wait(timeout: .now() + 60) }
        // Seen from outside while the loop can't speak for itself.
        try await eventually("the lag of a stuck loop") { lag.nanoseconds[index] > 100_000_000 }
        #expect(lag.nanoseconds.count == 2)
        wasSeen.signal()
        try await eventually("the tick that came late") { worst.value > 100_000_000 }
        try await eventually("the end of the lag") { lag.nanoseconds.allSatisfy { $0 < 100_000_000 } }
        lag.stop()
        try await group.shutdownGracefully()
    }
}

/// The largest number so far.
private final class Latest: Sendable {
    private let largest = Atomic<Int64>(0)

    func record(_ nanoseconds: Int64) { largest.max(nanoseconds, ordering: .relaxed) }

    var value: Int64 { largest.load(ordering: .relaxed) }
}
