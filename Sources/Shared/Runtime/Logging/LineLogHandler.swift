import Logging

/// Writes each log event as one line: JSON, or text for a terminal.
///
/// Usable from any thread, event loops included: a line that its pipe has no room for is left out and counted, as a
/// collector that hangs must hold up neither calls nor the end of the program. The level is that of the process
/// (``LogLevelSwitch``) unless a logger was given its own.
public struct LineLogHandler: LogHandler {
    /// The program, such as `vessel`; the same in all lines of a process.
    let service: String
    /// The logger's own label.
    let label: String
    let output: LogOutput
    let levels: LogLevelSwitch
    private var ownLevel: Logger.Level?

    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?

    public init(service: String, label: String, output: LogOutput, levels: LogLevelSwitch) {
        self.service = service
        self.label = label
        self.output = output
        self.levels = levels
    }

    public var logLevel: Logger.Level {
        get { ownLevel ?? levels.level }
        set { ownLevel = newValue }
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        let line = LogLine(
            time: .now(), level: event.level, service: service, label: label,
            message: event.message.description, metadata: merged(event))
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256)
        switch output.style {
        case .json: line.appendJSON(to: &bytes)
        case .terminal: line.appendText(to: &bytes)
        }
        guard output.writeUnlessFull(bytes) else {
            output.lost.add()
            return
        }
        output.tap.add(LogRecord(line))
    }

    /// The logger's, the task's and the event's metadata; the later wins, as swift-log asks.
    private func merged(_ event: LogEvent) -> Logger.Metadata {
        var all = metadata
        if let provided = metadataProvider?.get(), !provided.isEmpty {
            all.merge(provided) { _, new in new }
        }
        if let own = event.metadata, !own.isEmpty {
            all.merge(own) { _, new in new }
        }
        if let error = event.error, all["error"] == nil {
            all["error"] = .string("\(error)")
        }
        return all
    }
}
