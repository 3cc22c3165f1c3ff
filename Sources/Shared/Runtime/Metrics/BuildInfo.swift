/// Which program this is, as a metric whose labels say it: a series to join others with.
enum BuildInfo {
    /// - Parameters:
    ///   - service: the program, such as `vessel`.
    ///   - settings: images say their version in `SHIPPY_VERSION`.
    static func register(in registry: MetricsRegistry, service: String, settings: Settings) {
        registry.gauge(
            "shippy_build_info", "1; its labels are the program and its version.",
            labels: [("service", service), ("version", settings.variable("SHIPPY_VERSION") ?? "unknown")]
        ) { 1 }
    }
}
