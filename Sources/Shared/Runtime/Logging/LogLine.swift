import Logging

/// One event, ready to be written.
struct LogLine {
    let time: Timestamp
    let level: Logger.Level
    let service: String
    let label: String
    let message: String
    let metadata: Logger.Metadata

    /// What is longer, in bytes of one message or value, is cut: a log line is not a dump.
    static let textBytesMax = 8 * 1024
    /// Metadata nested deeper is left out.
    static let nestingMax = 8
}

// MARK: - JSON

extension LogLine {
    func appendJSON(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: #"{"time":""#.utf8)
        time.append(to: &bytes)
        bytes.append(contentsOf: #"","level":""#.utf8)
        bytes.append(contentsOf: level.rawValue.utf8)
        bytes.append(contentsOf: #"","service":"#.utf8)
        JSONText.append(service, to: &bytes)
        if label != service {
            bytes.append(contentsOf: #","logger":"#.utf8)
            JSONText.append(label, to: &bytes)
        }
        bytes.append(contentsOf: #","message":"#.utf8)
        JSONText.append(message, to: &bytes)
        if !metadata.isEmpty {
            bytes.append(contentsOf: #","metadata":"#.utf8)
            Self.append(.dictionary(metadata), nesting: 0, to: &bytes)
        }
        bytes.append(contentsOf: "}\n".utf8)
    }

    private static func append(_ value: Logger.Metadata.Value, nesting: Int, to bytes: inout [UInt8]) {
        switch value {
        case .string(let text):
            JSONText.append(text, to: &bytes)
        case .stringConvertible(let convertible):
            JSONText.append(convertible.description, to: &bytes)
        case .array, .dictionary:
            guard nesting < nestingMax else {
                JSONText.append("…", to: &bytes)
                return
            }
            appendNested(value, nesting: nesting + 1, to: &bytes)
        }
    }

    private static func appendNested(_ value: Logger.Metadata.Value, nesting: Int, to bytes: inout [UInt8]) {
        switch value {
        case .array(let values):
            bytes.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                append(value, nesting: nesting, to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .dictionary(let pairs):
            bytes.append(UInt8(ascii: "{"))
            for (index, pair) in pairs.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                JSONText.append(pair.key, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                append(pair.value, nesting: nesting, to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        case .string, .stringConvertible:
            break
        }
    }
}

// MARK: - Text for a terminal

extension LogLine {
    func appendText(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: "\u{1b}[2m".utf8)
        time.appendTimeOfDay(to: &bytes)
        bytes.append(contentsOf: "\u{1b}[0m \(Self.colour(level))".utf8)
        let name = level.rawValue
        bytes.append(contentsOf: name.utf8)
        bytes.append(contentsOf: repeatElement(0x20, count: max(0, 8 - name.utf8.count)))
        bytes.append(contentsOf: "\u{1b}[0m \(label): ".utf8)
        Self.appendPlain(message, to: &bytes)
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            bytes.append(contentsOf: " \u{1b}[2m\(key)=\u{1b}[0m".utf8)
            Self.appendPlain(value.description, to: &bytes)
        }
        bytes.append(UInt8(ascii: "\n"))
    }

    /// Control characters become spaces: what a client sent must not steer the reader's terminal. U+0080 to U+009F are
    /// such too, U+009B as good as an escape and a bracket; as UTF-8 they are 0xc2 and their own value.
    private static func appendPlain(_ text: String, to bytes: inout [UInt8]) {
        var previous: UInt8 = 0
        for byte in text.utf8.prefix(textBytesMax) {
            if previous == 0xc2, byte < 0xa0 {
                bytes[bytes.count - 1] = 0x20
            } else {
                bytes.append(byte < 0x20 || byte == 0x7f ? 0x20 : byte)
            }
            previous = byte
        }
    }

    private static func colour(_ level: Logger.Level) -> String {
        switch level {
        case .trace, .debug: "\u{1b}[2m"
        case .info: "\u{1b}[32m"
        case .notice: "\u{1b}[36m"
        case .warning: "\u{1b}[33m"
        case .error, .critical: "\u{1b}[31m"
        }
    }
}
