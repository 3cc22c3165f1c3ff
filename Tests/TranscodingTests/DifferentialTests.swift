import Contracts
import SwiftProtobuf
import TestSupport
import Testing

@testable import Transcoding

/// SwiftProtobuf is the reference: what it reads and writes, we read and write.
@Suite("Agreement with SwiftProtobuf's JSON")
struct DifferentialTests {
    private static let messagesOfEach = 300

    @Test("every public message is compared")
    func complete() {
        let compared = Set(Transcoder.types.map { $0.protoMessageName })
        for message in Schema.contracts.messages { #expect(compared.contains(message.name), "\(message.name)") }
    }

    @Test("random messages of every type have the same JSON, byte for byte")
    func wireToJSON() throws {
        for type in Transcoder.types {
            let schema = Transcoder.message(type)
            var random = RandomMessages(seed: 1)
            for _ in 0..<Self.messagesOfEach {
                let wire = random.message(schema)
                let expected: [UInt8] = try type.init(serializedBytes: wire).jsonUTF8Bytes(options: Transcoder.options)
                let json = try Transcoder.json(wire, as: schema)
                guard json != expected else { continue }
                Issue.record("\(schema.name): \(json.text), not \(expected.text)")
                return
            }
        }
    }

    @Test("the JSON of random messages becomes the bytes that the messages have, with names of either kind")
    func jsonToWire() throws {
        for type in Transcoder.types {
            let schema = Transcoder.message(type)
            var random = RandomMessages(seed: 2)
            for _ in 0..<Self.messagesOfEach {
                let message = try type.init(serializedBytes: random.message(schema))
                let expected: [UInt8] = try message.serializedBytes()
                for options in [Transcoder.options, JSONEncodingOptions()] {
                    let json: [UInt8] = try message.jsonUTF8Bytes(options: options)
                    let wire = try Transcoder.wire(json, as: schema)
                    guard wire != expected else { continue }
                    Issue.record("\(schema.name): \(json.text) is \(wire), not \(expected)")
                    return
                }
            }
        }
    }

    @Test("fields in any order, more often than once and among unknown ones count as they do there")
    func repetition() throws {
        for type in Transcoder.types {
            let schema = Transcoder.message(type)
            var random = RandomMessages(seed: 3)
            for _ in 0..<Self.messagesOfEach {
                var wire: [UInt8] = []
                for _ in 0..<3 {
                    // Messages one after the other are one that is merged of them.
                    wire += random.message(schema)
                    if let field = schema.fields.randomElement(using: &random.numbers) {
                        random.append(field, to: &wire, depth: 3)
                    }
                    wire += Self.unknown.randomElement(using: &random.numbers) ?? []
                }
                let message = try type.init(serializedBytes: wire)
                let expected: [UInt8] = try message.jsonUTF8Bytes(options: Transcoder.options)
                let json = try Transcoder.json(wire, as: schema)
                guard try !Self.isSame(json, expected, type) else { continue }
                Issue.record("\(schema.name): \(json.text), not \(expected.text)")
                return
            }
        }
    }

    /// A number, eight bytes, a text, a group with a field, four bytes; and a known number with another type.
    private static let unknown: [[UInt8]] = [
        [0xf8, 0x06, 0x96, 0x01], [0xf9, 0x06, 1, 2, 3, 4, 5, 6, 7, 8], [0xfa, 0x06, 2, 0x61, 0xff],
        [0xfb, 0x06, 0x08, 0x01, 0xfc, 0x06], [0xfd, 0x06, 1, 2, 3, 4], [0x0d, 1, 2, 3, 4], [0x15, 1, 2, 3, 4],
    ]

    /// Both are the same message, whatever the order of names.
    private static func isSame(_ left: [UInt8], _ right: [UInt8], _ type: any Message.Type) throws -> Bool {
        let message = try type.init(jsonUTF8Bytes: left)
        return try message.isEqualTo(message: type.init(jsonUTF8Bytes: right))
    }

    @Test("messages that are cut short or changed are malformed for both, or have the same JSON")
    func malformed() throws {
        for type in Transcoder.types {
            let schema = Transcoder.message(type)
            var random = RandomMessages(seed: 4)
            for _ in 0..<20 {
                let wire = random.message(schema)
                for length in 0..<wire.count { try compare(Array(wire.prefix(length)), schema, type) }
                for _ in 0..<40 where !wire.isEmpty {
                    var changed = wire
                    for _ in 0..<Int.random(in: 1...3, using: &random.numbers) {
                        let at = Int.random(in: 0..<changed.count, using: &random.numbers)
                        changed[at] = UInt8.random(in: .min ... .max, using: &random.numbers)
                    }
                    try compare(changed, schema, type)
                }
            }
        }
    }

    private func compare(_ wire: [UInt8], _ schema: MessageSchema, _ type: any Message.Type) throws {
        let expected: [UInt8]? = try? type.init(serializedBytes: wire).jsonUTF8Bytes(options: Transcoder.options)
        let json = try? Transcoder.json(wire, as: schema)
        guard let expected, let json else {
            #expect((expected == nil) == (json == nil), "\(schema.name) \(wire): \(json?.text ?? "malformed")")
            return
        }
        #expect(try Self.isSame(json, expected, type), "\(schema.name) \(wire): \(json.text), not \(expected.text)")
    }
}
