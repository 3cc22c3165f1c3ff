import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing

@testable import RPC

@Suite("When no connection can be accepted")
struct AcceptPauseTests {
    /// Counts the reads that reach the listening socket.
    private final class Reads: ChannelOutboundHandler {
        typealias OutboundIn = Never
        var count = 0

        func read(context: ChannelHandlerContext) {
            count += 1
        }
    }

    private struct Lines: LogHandler {
        let texts = NIOLockedValueBox<[String]>([])
        var logLevel = Logger.Level.info
        var metadata: Logger.Metadata = [:]
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            texts.withLockedValue { $0.append("\(event.message)") }
        }
    }

    @Test("the listener rests, says so once, and tries again")
    func pause() throws {
        let reads = Reads()
        let lines = Lines()
        let shortages = NIOLockedValueBox(0)
        let channel = EmbeddedChannel()
        let logger = Logger(label: "test") { _ in lines }
        try channel.pipeline.syncOperations.addHandlers([
            reads, AcceptPause(logger: logger) { shortages.withLockedValue { $0 += 1 } },
        ])
        let before = reads.count
        for round in 1...10 {
            channel.pipeline.fireErrorCaught(IOError(errnoCode: 24, reason: "accept"))
            for _ in 0..<5 { channel.pipeline.read() }
            #expect(reads.count == before + round - 1)
            channel.embeddedEventLoop.advanceTime(by: AcceptPause.pause)
            #expect(reads.count == before + round)
        }
        #expect(lines.texts.withLockedValue { $0 } == ["no connections are accepted for now"])
        #expect(shortages.withLockedValue { $0 } == 10)
        // Much later it is news again.
        channel.embeddedEventLoop.advanceTime(by: AcceptPause.shortageGap + .seconds(1))
        channel.pipeline.fireErrorCaught(IOError(errnoCode: 24, reason: "accept"))
        #expect(lines.texts.withLockedValue { $0.count } == 2)
        channel.embeddedEventLoop.advanceTime(by: AcceptPause.pause)
        _ = try channel.finish()
    }

    @Test("a peer that has left before it was accepted stops nobody")
    func aborted() throws {
        let reads = Reads()
        let channel = EmbeddedChannel()
        let handlers: [any ChannelHandler] = [reads, AcceptPause(logger: Logger(label: "test") { _ in Lines() })]
        try channel.pipeline.syncOperations.addHandlers(handlers)
        let before = reads.count
        // ECONNABORTED
        channel.pipeline.fireErrorCaught(IOError(errnoCode: 103, reason: "accept"))
        channel.pipeline.read()
        #expect(reads.count == before + 1)
        _ = try channel.finish()
    }
}
