import Contracts
import Foundation
import HTTP
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import RPC
import TestSupport
import Testing

@testable import APIGateway

/// Services that answer as a request's name tells them to, and remember what they were asked.
final class FakeServices: Sendable {
    struct Seen: Sendable {
        var paths: [String] = []
        var metadata = Metadata()
        var remaining = Duration.zero
        var cancelled = 0
    }

    let seen = NIOLockedValueBox(Seen())
    /// Runs in FindAvailable before it answers.
    let work = NIOLockedValueBox<@Sendable () async -> Void>({})

    private func record(_ context: RequestContext) {
        seen.withLockedValue {
            $0.paths.append(context.path)
            $0.metadata = context.metadata
            $0.remaining = context.deadline.remaining
        }
    }

    /// `status 5 text` throws that status; `wait` waits until it is cancelled.
    private func obey(_ order: String, _ context: RequestContext) async throws {
        record(context)
        let words = order.split(separator: " ", maxSplits: 2).map(String.init)
        if words.first == "status", words.count == 3, let code = Int(words[1]).flatMap(Status.Code.init) {
            throw Status(code, words[2], metadata: ["retry-after": "7"])
        }
        if order == "crash" { throw NSError(domain: "secret query", code: 1) }
        if order == "wait" {
            do {
                try await Task.sleep(for: .seconds(30))
            } catch {
                seen.withLockedValue { $0.cancelled += 1 }
            }
        }
    }

    var routes: [RPCRoute] {
        [
            RPCRoute(VesselMethods.create) { vessel, context in
                try await self.obey(vessel.name, context)
                return .with {
                    $0.vessel = vessel
                    $0.created = true
                }
            },
            RPCRoute(VesselMethods.findAvailable) { specification, context in
                self.record(context)
                await self.work.withLockedValue { $0 }()
                return .with { $0.vessel.capacity = specification.capacity }
            },
            RPCRoute(UserMethods.create) { user, context in
                self.record(context)
                return .with { $0.user.name = user.name }
            },
            RPCRoute(UserMethods.auth) { user, context in
                self.record(context)
                return .with { $0.token = "token of \(user.email)" }
            },
            RPCRoute(ConsignmentMethods.create) { consignment, context in
                self.record(context)
                return .with {
                    $0.consignment = consignment
                    $0.created = true
                }
            },
            RPCRoute(HealthMethods.check) { _, context in
                self.record(context)
                return .with { $0.status = .serving }
            },
        ]
    }
}

/// A gateway before ``FakeServices``, both on free ports of this machine.
struct GatewayFixture {
    let gateway: Gateway
    let address: SocketAddress
    let services: FakeServices

    static func run(
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        configure: (inout GatewayConfiguration) -> Void = { _ in },
        _ body: (GatewayFixture) async throws -> Void
    ) async throws {
        let services = FakeServices()
        let local = HostPort(host: "127.0.0.1", port: 0)
        let server = RPCServer(
            routes: services.routes, configuration: .init(address: local), group: .singleton, logger: logger)
        let port = try #require(try await server.start().port)
        var configuration = GatewayConfiguration(
            address: local,
            upstreams: RouteTable.serviceNames.map {
                .init(name: $0, address: HostPort(host: "127.0.0.1", port: port))
            })
        configure(&configuration)
        let gateway = try await Gateway(configuration: configuration, group: .singleton, logger: logger)
        let address = try await gateway.start()
        let result = await Result(catching: {
            try await body(.init(gateway: gateway, address: address, services: services))
        })
        await gateway.drain(timeout: .milliseconds(50))
        await server.drain(timeout: .milliseconds(50))
        try result.get()
    }

    func rpc(_ body: String, headers: HTTPHeaders = ["content-type": "application/json"]) async throws -> Answer {
        try await fetch("POST", "/rpc", headers: headers, body: body)
    }

    /// One request on a connection of its own.
    func fetch(
        _ method: String, _ path: String, headers: HTTPHeaders = [:], body: String? = nil
    ) async throws -> Answer {
        let whole = group().makePromise(of: String.self)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(whole))
                }
            }
            .connect(to: address).get()
        var request = "\(method) \(path) HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        for (name, value) in headers { request += "\(name): \(value)\r\n" }
        if let body { request += "content-length: \(body.utf8.count)\r\n" }
        try await channel.writeAndFlush(ByteBuffer(string: "\(request)\r\n\(body ?? "")"))
        return try Answer(try await whole.futureResult.get())
    }

    private func group() -> any EventLoop { MultiThreadedEventLoopGroup.singleton.next() }
}

/// Collects everything until the peer closes.
private final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private var received = ByteBuffer()
    private let promise: EventLoopPromise<String>

    init(_ promise: EventLoopPromise<String>) {
        self.promise = promise
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received.writeImmutableBuffer(unwrapInboundIn(data))
    }

    func channelInactive(context: ChannelHandlerContext) {
        promise.succeed(String(buffer: received))
    }
}

/// The connection ended before an answer.
struct NoAnswer: Error {
    let text: String
}

/// A response, taken apart.
struct Answer {
    let status: Int
    let reason: String
    var headers: [String: String] = [:]
    let body: String

    init(_ text: String) throws {
        guard let end = text.range(of: "\r\n\r\n") else { throw NoAnswer(text: text) }
        let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ", maxSplits: 2)
        status = try #require(Int(words[1]))
        reason = String(words[2])
        for line in lines.dropFirst() {
            let parts = line.components(separatedBy: ": ")
            headers[parts[0].lowercased()] = parts.dropFirst().joined(separator: ": ")
        }
        body = String(text[end.upperBound...])
    }

    /// The body as JSON.
    var json: NSDictionary {
        get throws {
            try #require(try JSONSerialization.jsonObject(with: Data(body.utf8)) as? NSDictionary)
        }
    }

    /// Whether it is an error of this shape, its HTTP status included.
    func isError(_ code: Int, id: String, _ detail: String) throws -> Bool {
        let error = try json
        return status == code && error["code"] as? Int == code && error["id"] as? String == id
            && error["detail"] as? String == detail && error["status"] as? String == reason
            && headers["content-type"] == "application/json"
    }
}
