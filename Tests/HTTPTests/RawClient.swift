import Glibc
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL
import TestSupport
import Testing

/// A TCP peer that sends what it is told and keeps what it gets, for tests of what is really on the wire.
final class RawClient: Sendable {
    private struct State {
        var received = ""
        var hasEnded = false
        var hasFailed = false
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let state: NIOLockedValueBox<State>

        init(_ state: NIOLockedValueBox<State>) {
            self.state = state
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let text = String(buffer: unwrapInboundIn(data))
            state.withLockedValue { $0.received += text }
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case ChannelEvent.inputClosed = event { state.withLockedValue { $0.hasEnded = true } }
        }

        func channelInactive(context: ChannelHandlerContext) {
            state.withLockedValue { $0.hasEnded = true }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            state.withLockedValue { $0.hasFailed = true }
            context.close(promise: nil)
        }
    }

    let channel: any Channel
    private let state: NIOLockedValueBox<State>

    private init(channel: any Channel, state: NIOLockedValueBox<State>) {
        self.channel = channel
        self.state = state
    }

    static func connect(_ address: SocketAddress, reads: Bool = true, tls: NIOSSLContext? = nil) async throws
        -> RawClient
    {
        let state = NIOLockedValueBox(State())
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.autoRead, value: reads)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        let handler = try NIOSSLClientHandler(context: tls, serverHostname: nil)
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                    try channel.pipeline.syncOperations.addHandler(Collector(state))
                }
            }
            .connect(to: address).get()
        return RawClient(channel: channel, state: state)
    }

    /// Everything received so far.
    var received: String { state.withLockedValue { $0.received } }

    /// Whether the connection ended with an error, such as a reset.
    var hasFailed: Bool { state.withLockedValue { $0.hasFailed } }

    /// Whether the server has closed its side.
    var hasEnded: Bool { state.withLockedValue { $0.hasEnded } }

    func send(_ text: String) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text))
    }

    /// Sends without waiting for the peer to take it.
    func push(_ text: String) {
        channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
    }

    func finishSending() async throws {
        try await channel.close(mode: .output)
    }

    func close() async {
        try? await channel.close()
    }

    /// Ends the connection with a reset instead of an orderly end.
    func reset() async throws {
        let options = try #require(channel as? any SocketOptionProvider)
        try await options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        await close()
    }

    /// Waits until so many responses' heads (status lines) have arrived, and answers everything received.
    func responses(_ count: Int) async throws -> String {
        try await eventually("\(count) responses, got: \(received.prefix(2000))") {
            self.received.occurrences(of: "HTTP/1.1 ") >= count && self.received.hasCompleteBodies
        }
        return received
    }

    /// Waits until the server has closed, and answers everything received.
    func end() async throws -> String {
        try await eventually("the end, got: \(received.prefix(2000))") { self.hasEnded }
        return received
    }
}

extension String {
    func occurrences(of text: String) -> Int {
        var count = 0
        var rest = utf8[...]
        let wanted = Array(text.utf8)
        while rest.count >= wanted.count {
            if rest.starts(with: wanted) {
                count += 1
                rest = rest.dropFirst(wanted.count)
            } else {
                rest = rest.dropFirst()
            }
        }
        return count
    }

    /// Whether the last response has as much body as its length says. Good enough for small bodies.
    fileprivate var hasCompleteBodies: Bool {
        guard let head = lines(before: "\r\n\r\n").last else { return false }
        return head
    }

    private func lines(before end: String) -> [Bool] {
        var rest = self[...]
        var complete: [Bool] = []
        while let head = rest.firstRange(of: "\r\n\r\n") {
            let text = rest[..<head.lowerBound].lowercased()
            rest = rest[head.upperBound...]
            guard let field = text.firstRange(of: "content-length: ") else { continue }
            let length = Int(text[field.upperBound...].prefix { $0.isNumber }) ?? 0
            complete.append(rest.utf8.count >= length)
            let next = rest.utf8.index(rest.startIndex, offsetBy: length, limitedBy: rest.endIndex) ?? rest.endIndex
            rest = rest[next...]
        }
        return complete
    }
}
