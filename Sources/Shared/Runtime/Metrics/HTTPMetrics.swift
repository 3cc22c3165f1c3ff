import HTTP
import Synchronization

/// Requests, outcomes, latency and requests in progress of an HTTP server, by OpenTelemetry's names:
/// `http_server_request_duration_seconds` by method, route and status, and `http_server_active_requests` by method.
///
/// The number of series is bounded by methods, routes and statuses that are known here; all others share a name.
/// Recording takes three atomic additions a request, no lock and, once an outcome has occurred, no allocation.
/// Source: OpenTelemetry, "Semantic conventions for HTTP metrics".
public final class HTTPMetrics: Sendable {
    /// The methods of RFC 9110 and RFC 5789. All others are the last.
    static let methods = ["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "CONNECT", "TRACE", otherMethod]

    private let scheme: String
    private let recorders: [HTTPRouteRecorder]
    /// Requests begun: for each shard, a counter for each method, rounded up to whole cache lines of eight counters.
    private let begun = AtomicCounters(count: ThreadShard.count * beganStride)
    private static let beganStride = (methods.count + 7) / 8 * 8

    /// Adds its families to `registry`.
    ///
    /// - Parameters:
    ///   - scheme: `http` or `https`.
    ///   - routes: the routes that are told apart; a recorder without a route follows them.
    public init(registry: MetricsRegistry, scheme: String, routes: [String]) {
        self.scheme = scheme
        recorders = routes.map(HTTPRouteRecorder.init) + [HTTPRouteRecorder(nil)]
        registry.collect("http_server_active_requests") { [weak self] snapshot in
            self?.write(to: &snapshot)
        }
    }

    public func requestBegan(_ method: HTTPRequest.Method) {
        begun.add(1, at: ThreadShard.index * Self.beganStride + Self.index(of: method))
    }

    /// - Parameters:
    ///   - route: the index of the route; anything else stands for none.
    ///   - status: the HTTP status.
    public func requestEnded(_ method: HTTPRequest.Method, route: Int, status: Int, nanoseconds: Int64) {
        let recorder = recorders.indices.contains(route) ? recorders[route] : recorders[recorders.count - 1]
        recorder.record(Self.index(of: method), status: status, nanoseconds: nanoseconds)
    }

    /// The last of the methods.
    public static let otherMethod = "_OTHER"

    /// The method's name, or ``otherMethod``.
    public static func name(of method: HTTPRequest.Method) -> String { methods[index(of: method)] }

    static func index(of method: HTTPRequest.Method) -> Int {
        switch method {
        case .GET: 0
        case .POST: 1
        case .HEAD: 2
        case .OPTIONS: 3
        case .PUT: 4
        case .DELETE: 5
        case .PATCH: 6
        case .CONNECT: 7
        case .TRACE: 8
        default: 9
        }
    }

    private func write(to snapshot: inout MetricSnapshot) {
        var ended = [UInt64](repeating: 0, count: Self.methods.count)
        var durations: [(labels: Labels, outcome: HTTPRouteRecorder.Outcome)] = []
        for recorder in recorders {
            for outcome in recorder.snapshot() {
                ended[outcome.method] += outcome.counts.reduce(0, +)
                durations.append((labels(outcome, recorder.route), outcome))
            }
        }
        snapshot.family("http_server_active_requests", .gauge, help: "Requests begun and not answered.")
        for (index, method) in Self.methods.enumerated() {
            // Read after those that ended, so that the difference is not negative.
            let begun = (0..<ThreadShard.count).reduce(UInt64(0)) { $0 + self.begun[$1 * Self.beganStride + index] }
            guard begun > 0 || index == 0 else { continue }
            snapshot.sample(
                Labels([("http_request_method", method), ("url_scheme", scheme)]),
                Double(begun > ended[index] ? begun - ended[index] : 0))
        }
        // A family without samples says nothing.
        guard !durations.isEmpty else { return }
        snapshot.family(
            "http_server_request_duration_seconds", .histogram, help: "Time from a request's end to its answer.")
        for (labels, outcome) in durations {
            snapshot.histogram(
                labels, bounds: LatencyHistogram.boundsSeconds, counts: outcome.counts, sum: outcome.seconds)
        }
    }

    private func labels(_ outcome: HTTPRouteRecorder.Outcome, _ route: String?) -> Labels {
        var labels = [
            ("http_request_method", Self.methods[outcome.method]), ("http_response_status_code", outcome.status),
            ("url_scheme", scheme),
        ]
        if let route { labels.append(("http_route", route)) }
        // What the server is to blame for.
        if outcome.status.hasPrefix("5") { labels.append(("error_type", outcome.status)) }
        return Labels(labels)
    }
}

/// Counts the requests of one route.
final class HTTPRouteRecorder: Sendable {
    /// What was counted for one method and status.
    struct Outcome {
        /// An index of ``HTTPMetrics/methods``.
        var method: Int
        var status: String
        /// Per bucket, not cumulative.
        var counts: [UInt64]
        var seconds: Double
    }

    /// Made when its outcome occurs first.
    private final class Slot: Sendable {
        let histogram = AtomicLazyReference<LatencyHistogram>()
    }

    /// The statuses that are told apart. All others are the last.
    static let statuses = [
        200, 201, 204, 206, 301, 302, 304, 400, 401, 403, 404, 405, 406, 408, 409, 411, 412, 413, 414, 415, 416, 417,
        422,
        429, 431, 499, 500, 501, 502, 503, 504, 505,
    ]

    /// `nil` for requests that no route fits.
    let route: String?
    /// For each method, one for each status and one for the others.
    private let slots: [Slot]

    init(_ route: String?) {
        self.route = route
        slots = (0..<(HTTPMetrics.methods.count * (Self.statuses.count + 1))).map { _ in Slot() }
    }

    func record(_ method: Int, status: Int, nanoseconds: Int64) {
        let index = Self.statuses.firstIndex(of: status) ?? Self.statuses.count
        let slot = slots[method * (Self.statuses.count + 1) + index]
        let histogram = slot.histogram.load() ?? slot.histogram.storeIfNil(LatencyHistogram())
        histogram.record(nanoseconds: nanoseconds)
    }

    func snapshot() -> [Outcome] {
        slots.enumerated().compactMap { index, slot in
            guard let histogram = slot.histogram.load() else { return nil }
            let status = index % (Self.statuses.count + 1)
            let (counts, seconds) = histogram.snapshot()
            return Outcome(
                method: index / (Self.statuses.count + 1),
                status: status < Self.statuses.count ? "\(Self.statuses[status])" : "_OTHER", counts: counts,
                seconds: seconds)
        }
    }
}
