import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing

@testable import RPC

@Suite("Accepting without file descriptors")
struct AcceptPauseTests {
    /// The last value of `autoRead` that was set on the listener; empty before the first.
    private func autoReads(_ channel: EmbeddedChannel) -> [Bool] {
        channel.options.compactMap { $0.option is ChannelOptions.Types.AutoReadOption ? $0.value as? Bool : nil }
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

    @Test("the listener pauses, logs it once, and tries again")
    func pause() throws {
        let lines = Lines()
        let shortages = NIOLockedValueBox(0)
        let channel = EmbeddedChannel()
        let logger = Logger(label: "test") { _ in lines }
        try channel.pipeline.syncOperations.addHandler(
            AcceptPause(logger: logger) { shortages.withLockedValue { $0 += 1 } })
        for _ in 1...10 {
            channel.pipeline.fireErrorCaught(IOError(errnoCode: 24, reason: "accept"))
            #expect(autoReads(channel) == [false])
            channel.embeddedEventLoop.advanceTime(by: AcceptPause.pause)
            #expect(autoReads(channel) == [true])
        }
        #expect(lines.texts.withLockedValue { $0 } == ["no connections are accepted for now"])
        #expect(shortages.withLockedValue { $0 } == 10)
        // A later shortage is logged again.
        channel.embeddedEventLoop.advanceTime(by: AcceptPause.shortageGap + .seconds(1))
        channel.pipeline.fireErrorCaught(IOError(errnoCode: 24, reason: "accept"))
        #expect(lines.texts.withLockedValue { $0.count } == 2)
        channel.embeddedEventLoop.advanceTime(by: AcceptPause.pause)
        _ = try channel.finish()
    }

    @Test("a peer that left before it was accepted does not pause the listener")
    func aborted() throws {
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(AcceptPause(logger: Logger(label: "test") { _ in Lines() }))
        // ECONNABORTED
        channel.pipeline.fireErrorCaught(IOError(errnoCode: 103, reason: "accept"))
        #expect(autoReads(channel).isEmpty)
        _ = try channel.finish()
    }
}
