import Contracts
import SwiftProtobuf
import TestSupport

@testable import Transcoding

/// The transcoder as tests use it, and its reference.
enum Transcoder {
    /// Every message that callers can send or get, and those of other services, which have types of their own.
    static let types: [any (Message & Sendable).Type] = [
        Vessel_Vessel.self, Vessel_Specification.self, Vessel_GetRequest.self, Vessel_ListRequest.self,
        Vessel_UpdateRequest.self, Vessel_Response.self, User_User.self, User_Request.self, User_Response.self,
        User_Token.self, User_Error.self, Consignment_Consignment.self, Consignment_Container.self,
        Consignment_GetRequest.self, Consignment_CancelRequest.self, Consignment_Response.self,
        Vessel_Reservation.self, Email_UserCreated.self, Email_GetRequest.self, Email_Response.self,
        Email_Email.self, Grpc_Health_V1_HealthCheckRequest.self, Grpc_Health_V1_HealthCheckResponse.self,
        Otlp_ExportResponse.self, Otlp_PartialSuccess.self,
    ]

    static let schema: Schema = {
        do {
            return try Schema(
                fileDescriptorSet: DescriptorSet.contracts.bytes, others: types.map { $0.protoMessageName })
        } catch {
            preconditionFailure("\(error)")
        }
    }()

    /// The reference's options.
    static var options: JSONEncodingOptions {
        var options = JSONEncodingOptions()
        options.preserveProtoFieldNames = true
        return options
    }

    static func message(_ type: any Message.Type) -> MessageSchema {
        guard let message = schema.message(named: type.protoMessageName) else {
            preconditionFailure("no \(type.protoMessageName)")
        }
        return message
    }

    /// The wire bytes of a JSON text; throws ``JSONProblem``.
    static func wire(_ json: [UInt8], as message: MessageSchema, of schema: Schema = schema) throws -> [UInt8] {
        try json.withUnsafeBytes { try JSONToWire.encode($0, as: message, of: schema) }
    }

    /// The JSON text of wire bytes; throws ``MalformedMessage``.
    static func json(_ wire: [UInt8], as message: MessageSchema, of schema: Schema = schema) throws -> [UInt8] {
        try wire.withUnsafeBytes { try WireToJSON.encode($0, as: message, of: schema) }
    }
}

extension [UInt8] {
    var text: String { String(decoding: self, as: UTF8.self) }
}

/// Messages at random, as wire bytes: each field by its schema, in the order of the numbers, as senders write them.
struct RandomMessages {
    var numbers: SeededNumbers
    let schema: Schema

    private static let texts = [
        "", "a", "Kane's Salty Secret", "Zürich 😀", "\u{0}\u{1}\u{8}\t\n\u{c}\r\u{1f}\u{7f}\u{80}\u{9f}\u{a0}",
        "\"\\/", "\u{2028}\u{2029}\u{feff}\u{ffff}\u{10ffff}\u{20bb7}", "a\u{301}\u{323}", "</script>",
        "é\u{85}\u{c2}é",
    ]
    private static let integers: [Int64] = [
        0, 1, -1, 9, 10, 127, 128, 200, 100_000, Int64(Int32.max), Int64(Int32.min), Int64.max, Int64.min,
        -62_135_596_800, 253_402_300_799, 1_700_000_000,
    ]
    private static let seconds: [Int64] = [
        0, 1, -1, 951_782_400, 951_868_799, 1_700_000_000, -62_135_596_800, 253_402_300_799, -2_203_891_200,
        4_107_542_400,
    ]
    private static let nanos: [Int64] = [0, 1, 999_999_999, 1_000, 1_000_000, 120_000_000, 123_456_000]
    private static let paths = ["name", "max_weight", "available", "a.b_c", "owner_id"]

    init(seed: UInt64, schema: Schema = Transcoder.schema) {
        numbers = SeededNumbers(seed: seed)
        self.schema = schema
    }

    mutating func message(_ message: MessageSchema, depth: Int = 0) -> [UInt8] {
        var wire: [UInt8] = []
        for field in message.fields.sorted(by: { $0.number < $1.number }) where Bool.random(using: &numbers) {
            if case .message = field.kind, depth > 3 { continue }
            for _ in 0..<(field.isRepeated ? Int.random(in: 0...3, using: &numbers) : 1) {
                append(field, to: &wire, depth: depth)
            }
        }
        return wire
    }

    /// One occurrence of a field.
    mutating func append(_ field: FieldSchema, to wire: inout [UInt8], depth: Int) {
        let integer = Self.integers.randomElement(using: &numbers) ?? 0
        switch field.kind {
        case .string: append(string(), field.number, to: &wire)
        case .bool: append(Int64(Int.random(in: 0...1, using: &numbers)), field, to: &wire)
        case .int32: append(Int64(Int32(truncatingIfNeeded: integer)), field, to: &wire)
        case .int64: append(integer, field, to: &wire)
        case .enumeration(let index):
            let known = schema.enumeration(index).values.randomElement(using: &numbers)?.number ?? 0
            append(Int64(Bool.random(using: &numbers) ? known : Int32(truncatingIfNeeded: integer)), field, to: &wire)
        case .timestamp:
            var time: [UInt8] = []
            append(Self.seconds.randomElement(using: &numbers) ?? 0, 1, to: &time)
            append(Self.nanos.randomElement(using: &numbers) ?? 0, 2, to: &time)
            append(time, field.number, to: &wire)
        case .fieldMask:
            var mask: [UInt8] = []
            for path in Self.paths where Bool.random(using: &numbers) { append(Array(path.utf8), 1, to: &mask) }
            append(mask, field.number, to: &wire)
        case .message(let index):
            append(message(schema.message(index), depth: depth + 1), field.number, to: &wire)
        }
    }

    private mutating func string() -> [UInt8] {
        let parts = (0..<Int.random(in: 0...2, using: &numbers)).map { _ in
            Self.texts.randomElement(using: &numbers) ?? ""
        }
        return Array(parts.joined().utf8)
    }

    /// Zero is left out, as senders do, unless it means something.
    private func append(_ value: Int64, _ field: FieldSchema, to wire: inout [UInt8]) {
        if value == 0, !field.hasPresence, !field.isRepeated { return }
        wire.appendTag(field.number, .varint)
        wire.appendVarint(UInt64(bitPattern: value))
    }

    private func append(_ value: Int64, _ number: Int, to wire: inout [UInt8]) {
        guard value != 0 else { return }
        wire.appendTag(number, .varint)
        wire.appendVarint(UInt64(bitPattern: value))
    }

    private func append(_ content: [UInt8], _ number: Int, to wire: inout [UInt8]) {
        wire.appendTag(number, .lengthDelimited)
        wire.appendVarint(UInt64(content.count))
        wire.append(contentsOf: content)
    }
}
