import NIOSSL

/// Paths of PEM files for TLS, from flags or variables.
public struct TLSFiles: Sendable, Equatable {
    /// The server's certificate chain, leaf first.
    public var certificate: String?
    /// The private key of the certificate.
    public var key: String?
    /// The authorities that sign the services we call; set, it makes our own calls use TLS.
    public var authorities: String?

    /// No TLS.
    public init() {}

    /// - Throws: ``ConfigurationError`` when one of certificate and key is missing.
    func checkPair() throws(ConfigurationError) {
        guard (certificate == nil) == (key == nil) else {
            throw ConfigurationError("TLS needs both --tls_cert and --tls_key (TLS_CERT and TLS_KEY)")
        }
    }

    /// The TLS of a server, or `nil` for plaintext. Reads the files.
    ///
    /// - Parameter protocols: what ALPN offers; `["h2"]` for gRPC.
    /// - Throws: ``ConfigurationError`` naming the file that is missing or no PEM, or a key that does not fit.
    public func serverContext(protocols: [String] = ["h2"]) throws(ConfigurationError) -> NIOSSLContext? {
        guard let certificate, let key else { return nil }
        let chain = try Self.load("--tls_cert", certificate) { try NIOSSLCertificate.fromPEMFile($0) }
        guard !chain.isEmpty else { throw ConfigurationError("--tls_cert: no certificate in '\(certificate)'") }
        let privateKey = try Self.load("--tls_key", key) { try NIOSSLPrivateKey(file: $0, format: .pem) }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(privateKey))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = protocols
        return try Self.context(configuration, "--tls_cert '\(certificate)' and --tls_key '\(key)' don't fit together")
    }

    /// The TLS of our own gRPC calls, or `nil` for plaintext. Reads the file.
    ///
    /// - Throws: ``ConfigurationError`` when the file is missing or no PEM.
    public func clientContext() throws(ConfigurationError) -> NIOSSLContext? {
        guard let authorities else { return nil }
        let roots = try Self.load("--tls_ca", authorities) { try NIOSSLCertificate.fromPEMFile($0) }
        guard !roots.isEmpty else { throw ConfigurationError("--tls_ca: no certificate in '\(authorities)'") }
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.trustRoots = .certificates(roots)
        configuration.applicationProtocols = ["h2"]
        return try Self.context(configuration, "--tls_ca '\(authorities)' can't be used")
    }

    static func load<Value>(
        _ flag: String, _ path: String, _ read: (String) throws -> Value
    ) throws(ConfigurationError) -> Value {
        do {
            return try read(path)
        } catch {
            // NIOSSL's own error says neither the path nor why, so ask the file system first.
            let reason = FileProbe.whyUnreadable(path) ?? "it holds no such PEM"
            throw ConfigurationError("\(flag): can't use '\(path)': \(reason)")
        }
    }

    static func context(
        _ configuration: TLSConfiguration, _ complaint: String
    ) throws(ConfigurationError) -> NIOSSLContext {
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw ConfigurationError(complaint)
        }
    }
}
