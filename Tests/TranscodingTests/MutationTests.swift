import Contracts
import RPC
import SwiftProtobuf
import TestSupport
import Testing

@testable import Transcoding

/// The reference reads JSON like we do, but for duplicate fields, which it accepts, and for pairs of escapes, which it reads
/// wrongly; see `JSONToWireTests`.
@Suite("Agreement with SwiftProtobuf on changed JSON")
struct MutationTests {
    private static let seeds = [
        #"{"id":"a","description":"d\u00e9\n","weight":5,"containers":[{"id":"1","customer_id":"c"},{}],"vesselId":"v"}"#,
        #"{"weight":"-2e2","containers":[{"user_id":null,"origin":"Zürich 😀"}],"vessel_id":null}"#,
        #" { "weight" : 2147483647 , "containers" : [ ] , "description" : "" } "#,
        #"{"weight":1.0,"description":"\"\\\/\b\f\n\r\t"}"#,
        #"{"status":"BOOKED","created_at":"2026-01-31T09:05:00.5Z","user_id":"u"}"#,
        #"{"status":2,"createdAt":"1969-12-31T23:59:59+01:00"}"#,
    ]
    private static let mutations = 12_000
    /// Valid and invalid pieces of JSON.
    private static let pieces: [[UInt8]] =
        [
            "{", "}", "[", "]", "\"", ",", ":", "null", "true", "0", "-", "+", "1e2", ".5", "\\", "\\u0041", "\\ud800",
            "\\x", "weight", "vesselId", "id", " ", "\n", "\u{301}", "9999999999", "\"a\":", "PENDING", "T", "Z", "1",
        ].map { Array($0.utf8) } + [[0xff], [0xc3], [0x00], [0x1f], [0x7f]]

    @Test("on thousands of mutated requests")
    func mutated() {
        var numbers = SeededNumbers(seed: 13)
        let schema = Transcoder.message(Consignment_Consignment.self)
        var accepted = 0
        for _ in 0..<Self.mutations {
            var bytes = Array(Self.seeds.randomElement(using: &numbers)?.utf8 ?? "".utf8)
            for _ in 0..<Int.random(in: 1...3, using: &numbers) { Self.mutate(&bytes, &numbers) }
            let expected = try? Consignment_Consignment(jsonUTF8Bytes: bytes)
            do {
                let wire = try Transcoder.wire(bytes, as: schema)
                accepted += 1
                let message = try Consignment_Consignment(serializedBytes: wire)
                #expect(message == expected, "\(bytes.text)")
            } catch {
                let problem = (error as? JSONProblem)?.text(root: "") ?? "\(error)"
                #expect(expected == nil || problem.hasSuffix("is given twice"), "\(bytes.text): \(problem)")
            }
        }
        // Both outcomes occurred.
        #expect(accepted > Self.mutations / 50 && accepted < Self.mutations / 2)
    }

    private static func mutate(_ bytes: inout [UInt8], _ numbers: inout SeededNumbers) {
        guard let at = bytes.indices.randomElement(using: &numbers) else { return }
        let piece = pieces.randomElement(using: &numbers) ?? []
        switch Int.random(in: 0..<4, using: &numbers) {
        case 0: bytes.insert(contentsOf: piece, at: at)
        case 1: bytes.replaceSubrange(at..<min(bytes.count, at + piece.count), with: piece)
        case 2: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...4, using: &numbers)))
        default: bytes[at] = UInt8.random(in: .min ... .max, using: &numbers)
        }
    }
}
