import Contracts
import Foundation
import SwiftProtobuf
import TestSupport
import Testing

@testable import Transcoding

/// A second reference, whose authors are those of the mapping.
@Suite("Agreement with Python's json_format")
struct PythonTests {
    private static let messagesOfEach = 60

    @Test("random messages of every type are the same in both directions", .timeLimit(.minutes(10)))
    func agree() async throws {
        let folder = try TemporaryFolder()
        try Data(DescriptorSet.contracts.bytes).write(to: URL(fileURLWithPath: folder.file("descriptors")))
        var cases: [(type: any Message.Type, wire: [UInt8])] = []
        var lines: [String] = []
        for type in Transcoder.types {
            let schema = Transcoder.message(type)
            var random = RandomMessages(seed: 5)
            for _ in 0..<Self.messagesOfEach {
                let wire = random.message(schema)
                let json = try Transcoder.json(wire, as: schema)
                lines.append("\(schema.name) \(Self.base64(wire)) \(Self.base64(json))")
                cases.append((type, wire))
            }
        }
        try Data(lines.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: folder.file("cases")))
        // It compares our JSON with its own, reads ours, and answers its own with names in lowerCamelCase.
        let output = try await Tool.run(
            Tool.python, [Self.script, folder.file("descriptors"), folder.file("cases")], within: .seconds(100))
        let answers = output.split(separator: "\n")
        try #require(answers.count == cases.count)
        for (answer, (type, wire)) in zip(answers, cases) {
            let json = try #require(Data(base64Encoded: String(answer)), "\(answer)")
            let encoded = try Transcoder.wire([UInt8](json), as: Transcoder.message(type))
            let message = try type.init(serializedBytes: encoded)
            let original = try type.init(serializedBytes: wire)
            #expect(message.isEqualTo(message: original), "\([UInt8](json).text)")
        }
    }

    private static func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

    private static var script: String {
        (#filePath as NSString).deletingLastPathComponent + "/Scripts/json_format.py"
    }
}
