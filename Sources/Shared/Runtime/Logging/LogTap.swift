import Synchronization

/// Where the lines of an output go as well, once somebody exports them. Usable from any thread; never waits.
final class LogTap: Sendable {
    private let buffer = AtomicLazyReference<LogBuffer>()

    /// From now on lines go to `buffer` too. Only the first one counts.
    func open(_ buffer: LogBuffer) {
        _ = self.buffer.storeIfNil(buffer)
    }

    /// - Parameter record: asked for only where it is exported.
    func add(_ record: @autoclosure () -> LogRecord) {
        guard let buffer = buffer.load() else { return }
        let record = record()
        buffer.add(record, bytes: record.bytes)
    }
}
