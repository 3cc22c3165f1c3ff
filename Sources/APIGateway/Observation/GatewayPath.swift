import RPC

/// What a request's path led to, as metrics tell paths apart. The text is OpenTelemetry's `http.route`: a template, so
/// that callers can't make up routes.
enum GatewayPath: Int, CaseIterable {
    case rpc, method, services, healthz, readyz, file, login

    var route: String {
        switch self {
        case .rpc: "/rpc"
        case .method: "/{service}/{interface}/{method}"
        case .services: "/services"
        case .healthz: "/healthz"
        case .readyz: "/readyz"
        case .file: "/{file}"
        case .login: "/login"
        }
    }

    /// The path whose route is exactly this text, compared by bytes; `nil` for any other.
    init?(exactly path: String) {
        for candidate in [GatewayPath.rpc, .healthz, .readyz, .services, .login]
        where path.hasSameBytes(as: candidate.route) {
            self = candidate
            return
        }
        return nil
    }

    /// Methods that the path allows, as in `Allow`. The same for OPTIONS and for 405.
    var allow: String {
        switch self {
        case .rpc, .method: "POST, OPTIONS"
        case .services, .healthz, .readyz, .file: "GET, HEAD, OPTIONS"
        case .login: "GET, OPTIONS"
        }
    }

    /// Whether those who ask are probes, whose questions are no news.
    var isProbe: Bool { self == .healthz || self == .readyz }
}
