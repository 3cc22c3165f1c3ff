import Glibc
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// Looks a name up again and again, and says what it found.
///
/// `getaddrinfo` blocks, so it runs on NIO's blocking pool, never on an event loop.
final class Resolver: Sendable {
    /// The shortest time between two look-ups, however many connections fail.
    private static let pause = Duration.milliseconds(500)

    /// Answers every address of a name, or throws why it can't. May block.
    typealias LookUp = @Sendable (HostPort) throws -> [SocketAddress]

    private let target: HostPort
    private let lookUp: LookUp
    private let interval: Duration
    private let found: @Sendable (Result<[SocketAddress], Status>) -> Void
    private let logger: Logger
    private let wakeUp = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    private let task = NIOLockedValueBox<Task<Void, Never>?>(nil)

    init(
        _ target: HostPort, interval: Duration, logger: Logger, lookUp: @escaping LookUp = Resolver.addresses(of:),
        found: @escaping @Sendable (Result<[SocketAddress], Status>) -> Void
    ) {
        self.target = target
        self.lookUp = lookUp
        self.interval = interval
        self.found = found
        self.logger = logger
    }

    func start() {
        task.withLockedValue { task in
            guard task == nil else { return }
            task = Task { await self.run() }
        }
    }

    func stop() {
        task.withLockedValue { $0?.cancel() }
    }

    /// Resolves the name soon, rather than when the interval is over.
    func resolveSoon() {
        wakeUp.continuation.yield()
    }

    private func run() async {
        if let address = try? SocketAddress(ipAddress: target.host, port: target.port) {
            found(.success([address]))
            return
        }
        // Look-ups at fixed moments, and whenever a connection fails.
        let wake = wakeUp.continuation
        let ticker = Task { [interval] in
            while (try? await Task.sleep(for: interval)) != nil { wake.yield() }
        }
        defer { ticker.cancel() }
        wake.yield()
        for await _ in wakeUp.stream {
            await resolve()
            guard (try? await Task.sleep(for: Self.pause)) != nil else { return }
        }
    }

    private func resolve() async {
        do {
            let addresses = try await NIOThreadPool.singleton.runIfActive { [lookUp, target] in try lookUp(target) }
            found(.success(addresses))
        } catch {
            logger.debug("name not resolved", metadata: ["host": "\(target.host)", "error": "\(error)"])
            found(.failure(Status(.unavailable, "the service's name can't be resolved")))
        }
    }

    /// Every address of the name, each once, in a fixed order. Blocks.
    @Sendable static func addresses(of target: HostPort) throws -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(target.host, String(target.port), &hints, &list)
        guard code == 0 else { throw ResolveError(reason: String(cString: gai_strerror(code))) }
        defer { freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = list
        while let entry = next {
            next = entry.pointee.ai_next
            guard let raw = entry.pointee.ai_addr else { continue }
            let address: SocketAddress? =
                switch CInt(entry.pointee.ai_family) {
                case AF_INET:
                    raw.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                        SocketAddress($0.pointee, host: target.host)
                    }
                case AF_INET6:
                    raw.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                        SocketAddress($0.pointee, host: target.host)
                    }
                default: nil
                }
            if let address, !addresses.contains(address) { addresses.append(address) }
        }
        return addresses
    }

    private struct ResolveError: Error {
        let reason: String
    }
}
