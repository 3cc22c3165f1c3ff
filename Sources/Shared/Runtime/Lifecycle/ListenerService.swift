import HTTP
import Logging
import NIOCore
import RPC
import ServiceLifecycle

/// Something that listens at an address: the gRPC server of a service, the HTTP server of the gateway.
public protocol Listener: Sendable {
    /// Binds and listens; answers the bound address.
    func start() async throws -> SocketAddress
    /// Takes nothing new, lets what is in progress end for at most `timeout`, then closes. Idempotent.
    func drain(timeout: Duration) async
}

extension RPCServer: Listener {}
extension HTTPServer: Listener {}

/// Listens from the start of the program, and drains when it stops.
struct ListenerService: Service {
    let listener: any Listener
    /// What it serves, for the log: `calls` or `admin`.
    let purpose: String
    let address: HostPort
    let drainTimeout: Duration
    let logger: Logger

    func run() async throws {
        let bound: SocketAddress
        do {
            bound = try await listener.start()
        } catch {
            throw ProgramFailure("can't listen on \(address) for \(purpose): \(Self.reason(error))")
        }
        let text = bound.hostPort?.description ?? bound.description
        logger.info("listening", metadata: ["for": "\(purpose)", "address": "\(text)"])
        try? await gracefulShutdown()
        // Cancelled means that another part failed: there is nothing to wait for.
        await listener.drain(timeout: Task.isCancelled ? .zero : drainTimeout)
    }

    private static func reason(_ error: any Error) -> String {
        if let error = error as? IOError { return SystemError.text(error.errnoCode) }
        return "\(error)"
    }
}
