/// A status with its details as `grpc-status-details-bin` carries it: a `google.rpc.Status` whose details are
/// `google.protobuf.Any`. Written by hand, as it is four small messages of strings and numbers.
extension ErrorDetail {
    /// The trailer's name. Its value is base64.
    static let trailer: StaticString = "grpc-status-details-bin"
    /// Bytes of the value; what is longer is left out, and not read. A header list has at most 16 KiB in all.
    private static let valueBytesMax = 8 * 1024

    /// The trailer's value; `nil` without details.
    static func trailerValue(of status: Status) -> String? {
        let details = status.allDetails
        guard !details.isEmpty else { return nil }
        var writer = WireWriter()
        writer.add(1, UInt64(status.code.rawValue))
        writer.add(2, status.message)
        for detail in details { writer.add(3, detail.packed) }
        let value = Base64.encode(writer.bytes)
        return value.utf8.count <= valueBytesMax ? value : nil
    }

    /// The details in a trailer's value. What can't be read, and what is not known here, is passed over.
    static func details(inTrailer value: String) -> [ErrorDetail] {
        guard value.utf8.count <= valueBytesMax, let bytes = Base64.decode(value.utf8) else { return [] }
        var details: [ErrorDetail] = []
        WireReader.eachField(bytes[...]) { number, field in
            guard number == 3, case .bytes(let any) = field, let detail = ErrorDetail(packed: any) else { return }
            details.append(detail)
        }
        return details
    }

    /// The type URL of its message, for `Any` and as `@type` in JSON.
    package var typeURL: String {
        switch self {
        case .badRequest: Self.badRequestURL
        case .errorInfo: Self.errorInfoURL
        case .retryInfo: Self.retryInfoURL
        }
    }

    private static let badRequestURL = "type.googleapis.com/google.rpc.BadRequest"
    private static let errorInfoURL = "type.googleapis.com/google.rpc.ErrorInfo"
    private static let retryInfoURL = "type.googleapis.com/google.rpc.RetryInfo"

    /// Itself as a `google.protobuf.Any`.
    private var packed: [UInt8] {
        var message = WireWriter()
        switch self {
        case .badRequest(let violations):
            for violation in violations {
                var field = WireWriter()
                field.add(1, violation.field)
                field.add(2, violation.description)
                message.add(1, field.bytes)
            }
        case .errorInfo(let reason):
            message.add(1, reason)
            message.add(2, Self.domain)
        case .retryInfo(let milliseconds):
            var duration = WireWriter()
            duration.add(1, UInt64(milliseconds / 1_000))
            duration.add(2, UInt64(milliseconds % 1_000 * 1_000_000))
            message.add(1, duration.bytes)
        }
        var any = WireWriter()
        any.add(1, typeURL)
        any.add(2, message.bytes)
        return any.bytes
    }

    private init?(packed any: ArraySlice<UInt8>) {
        var type: ArraySlice<UInt8> = []
        var message: ArraySlice<UInt8> = []
        WireReader.eachField(any) { number, field in
            guard case .bytes(let bytes) = field else { return }
            if number == 1 { type = bytes } else if number == 2 { message = bytes }
        }
        if type.elementsEqual(Self.badRequestURL.utf8) {
            var violations: [FieldViolation] = []
            WireReader.eachField(message) { number, field in
                guard number == 1, case .bytes(let bytes) = field else { return }
                violations.append(
                    FieldViolation(field: Self.text(1, in: bytes), description: Self.text(2, in: bytes)))
            }
            self = .badRequest(violations)
        } else if type.elementsEqual(Self.errorInfoURL.utf8) {
            self = .errorInfo(reason: Self.text(1, in: message))
        } else if type.elementsEqual(Self.retryInfoURL.utf8) {
            var milliseconds: Int64 = 0
            WireReader.eachField(message) { number, field in
                guard number == 1, case .bytes(let duration) = field else { return }
                WireReader.eachField(duration) { number, field in
                    guard case .number(let value) = field else { return }
                    // More than a day is no time to come back after.
                    if number == 1 { milliseconds += Int64(min(value, 86_400)) * 1_000 }
                    if number == 2 { milliseconds += Int64(min(value, 999_999_999)) / 1_000_000 }
                }
            }
            self = .retryInfo(milliseconds: milliseconds)
        } else {
            return nil
        }
    }

    private static func text(_ wanted: UInt64, in message: ArraySlice<UInt8>) -> String {
        var text = ""
        WireReader.eachField(message) { number, field in
            if number == wanted, case .bytes(let bytes) = field { text = String(decoding: bytes, as: UTF8.self) }
        }
        return text
    }
}

/// Writes the fields of a protobuf message.
private struct WireWriter {
    private(set) var bytes: [UInt8] = []

    mutating func add(_ number: UInt8, _ value: UInt64) {
        guard value != 0 else { return }
        bytes.append(number << 3)
        add(varint: value)
    }

    mutating func add(_ number: UInt8, _ text: String) {
        guard !text.isEmpty else { return }
        add(number, Array(text.utf8))
    }

    mutating func add(_ number: UInt8, _ message: [UInt8]) {
        bytes.append(number << 3 | 2)
        add(varint: UInt64(message.count))
        bytes += message
    }

    private mutating func add(varint value: UInt64) {
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(value))
    }
}

/// Reads the fields of a protobuf message; stops at what is malformed.
private enum WireReader {
    enum Field {
        case number(UInt64)
        case bytes(ArraySlice<UInt8>)
    }

    static func eachField(_ message: ArraySlice<UInt8>, _ body: (UInt64, Field) -> Void) {
        var rest = message
        while let tag = varint(&rest) {
            switch tag & 7 {
            case 0:
                guard let value = varint(&rest) else { return }
                body(tag >> 3, .number(value))
            case 2:
                guard let count = varint(&rest), count <= UInt64(rest.count) else { return }
                body(tag >> 3, .bytes(rest.prefix(Int(count))))
                rest = rest.dropFirst(Int(count))
            case 1, 5:
                let width = tag & 7 == 1 ? 8 : 4
                guard rest.count >= width else { return }
                rest = rest.dropFirst(width)
            default: return
            }
        }
    }

    private static func varint(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }
}
