import Logging
import NIOCore
import NIOPosix
import RPC
import TestSupport
import Testing

@testable import HTTP

@Suite("Connections that come during a drain")
struct LateConnectionTests {
    @Test("one that was accepted and is not active yet is closed and counted out")
    func late() async throws {
        try await withServer(.echo()) { _, address in
            let open = OpenConnections(max: 2)
            let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
            let loop = LoopContext(
                eventLoop: eventLoop, configuration: .init(address: HostPort(host: "127.0.0.1", port: 0)),
                responder: ClosureResponder.echo(), openConnections: open, logger: Logger(label: "test"))
            await loop.drain(timeout: .milliseconds(10))
            #expect(open.add() == .fits)
            // A channel is not active while its initializer runs, whichever side it is of.
            _ = try? await ClientBootstrap(group: eventLoop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(VersionDetector(loop: loop))
                    }
                }
                .connect(to: address).get()
            try await eventually("none that is open") { open.count == 0 }
        }
    }
}
