import Glibc
import Synchronization

/// A file descriptor that log lines go to, and how they look there.
public struct LogOutput: Sendable {
    /// How a line looks.
    public enum Style: Sendable {
        /// One JSON object, for collectors.
        case json
        /// Coloured text, for a terminal.
        case terminal
    }

    public let descriptor: Int32
    public let style: Style
    /// Of all copies together.
    let lost: LostLines
    /// Where lines that were written go as well; one for all copies but those of ``unexported``.
    let tap = LogTap()

    public init(descriptor: Int32, style: Style) {
        self.init(descriptor: descriptor, style: style, lost: LostLines())
    }

    private init(descriptor: Int32, style: Style, lost: LostLines) {
        self.descriptor = descriptor
        self.style = style
        self.lost = lost
    }

    /// The same output for lines that are not exported: what an exporter says about itself would never end.
    var unexported: LogOutput { LogOutput(descriptor: descriptor, style: style, lost: lost) }

    /// Standard output: text on a terminal, JSON otherwise.
    public static func standard() -> LogOutput {
        LogOutput(descriptor: STDOUT_FILENO, style: isatty(STDOUT_FILENO) == 1 ? .terminal : .json)
    }

    /// Writes the line by one `write(2)`, so that lines of several threads don't mix; goes on where the system took
    /// only a part. A descriptor that can't be written to loses the line: there is no place left to complain.
    func write(_ line: [UInt8]) {
        line.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = systemWrite(descriptor, UnsafeRawBufferPointer(rebasing: rest))
                if count > 0 {
                    rest = rest.dropFirst(count)
                } else if count == 0 || (errno != EINTR && !waitUntilWritable()) {
                    return
                }
            }
        }
    }

    /// Writes the line unless that would have to wait, as for a pipe that nobody reads fast enough.
    ///
    /// A pipe says that it can be written to when a page of it is free, and takes lines shorter than a page whole; so a
    /// write waits only if other threads fill that page in the meantime, or for a longer line when little room is left.
    /// - Returns: false when the line is lost.
    func writeUnlessFull(_ line: [UInt8]) -> Bool {
        var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard systemPoll(&poll, 1, 0) == 1, poll.revents & Int16(POLLOUT) != 0 else { return false }
        let count = line.withUnsafeBytes { systemWrite(descriptor, $0) }
        guard count > 0 else { return false }
        // The head of a line is there: the rest must follow, or the next line would be spoilt too.
        if count < line.count { write(Array(line[count...])) }
        return true
    }

    /// Whether another try makes sense: the descriptor is non-blocking and full, and drains within a second.
    private func waitUntilWritable() -> Bool {
        guard errno == EAGAIN || errno == EWOULDBLOCK else { return false }
        var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return systemPoll(&poll, 1, 1_000) == 1
    }
}

/// How many lines an output had no room for, but for those of calls, which ``CallLog`` counts itself.
final class LostLines: Sendable {
    private let total = Atomic<UInt64>(0)

    var count: UInt64 { total.load(ordering: .relaxed) }

    func add() { total.wrappingAdd(1, ordering: .relaxed) }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    write(descriptor, bytes.baseAddress, bytes.count)
}

private func systemPoll(_ descriptors: UnsafeMutablePointer<pollfd>, _ count: UInt, _ milliseconds: Int32) -> Int32 {
    poll(descriptors, nfds_t(count), milliseconds)
}

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
