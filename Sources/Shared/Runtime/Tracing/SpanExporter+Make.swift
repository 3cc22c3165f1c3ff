import Logging
import NIOPosix
import NIOSSL
import RPC

extension SpanExporter {
    /// Connects when the first batch goes out. `nil` where the settings name no collector.
    static func make(
        _ settings: TraceSettings, tls: NIOSSLContext?, group: MultiThreadedEventLoopGroup, logger: Logger
    ) -> SpanExporter? {
        guard let receiver = settings.receiver else { return nil }
        var configuration = RPCClient.Configuration(target: receiver.target, tls: tls)
        // Batches come seconds apart, and strangers may take pings in between for a flood.
        configuration.pingsWithoutCalls = false
        // The exporter retries by itself, and its last attempt at the program's end must not wait for an unreachable
        // receiver.
        configuration.connectWait = .zero
        let client = RPCClient(configuration: configuration, group: group, logger: logger)
        return SpanExporter(settings, client: client, logger: logger)
    }
}

extension TraceSettings {
    /// The TLS towards the collector, or `nil` for plaintext. Reads the file of its authorities.
    ///
    /// - Throws: ``ConfigurationError`` when the file is missing or no PEM.
    func receiverTLS() throws(ConfigurationError) -> NIOSSLContext? {
        guard let receiver, receiver.isEncrypted else { return nil }
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["h2"]
        let variable = "OTEL_EXPORTER_OTLP_CERTIFICATE"
        if let authorities {
            let roots = try TLSFiles.load(variable, authorities) { try NIOSSLCertificate.fromPEMFile($0) }
            guard !roots.isEmpty else { throw ConfigurationError("\(variable): no certificate in '\(authorities)'") }
            configuration.trustRoots = .certificates(roots)
        }
        return try TLSFiles.context(configuration, "\(variable): TLS can't be set up")
    }
}
