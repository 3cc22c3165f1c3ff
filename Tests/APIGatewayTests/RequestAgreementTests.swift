import Contracts
import NIOCore
import RPC
import SwiftProtobuf
import TestSupport
import Testing

@testable import APIGateway

/// The check before the decoder must accept nothing that the decoder rejects, or callers would not learn what is wrong.
/// It must reject nothing that the decoder accepts, except the errors that it exists for.
@Suite("Agreement of the request check and the decoder")
struct RequestAgreementTests {
    private static let seeds = [
        #"{"id":"a","description":"d\u00e9\ud83d\ude00\n","weight":5,"containers":[{"id":"1","customer_id":"c"},{}],"vesselId":"v"}"#,
        #"{"weight":"-2e2","containers":[{"user_id":null,"origin":"Zürich 😀"}],"vessel_id":null}"#,
        #" { "weight" : 2147483647 , "containers" : [ ] , "description" : "" } "#,
        #"{"weight":1.0,"description":"\"\\\/\b\f\n\r\t"}"#,
    ]
    private static let mutations = 12_000
    /// Valid and invalid pieces of JSON.
    private static let pieces: [[UInt8]] =
        [
            "{", "}", "[", "]", "\"", ",", ":", "null", "true", "0", "-", "+", "1e2", ".5", "\\", "\\u0041", "\\ud800",
            "\\x",
            "weight", "vesselId", "id", " ", "\n", "\u{301}", "9999999999", "\"a\":",
        ].map { Array($0.utf8) } + [[0xff], [0xc3], [0x00], [0x1f], [0x7f]]

    @Test("on thousands of mutated requests")
    func mutated() {
        var numbers = SeededNumbers(seed: 13)
        var accepted = 0
        for _ in 0..<Self.mutations {
            var bytes = Array(Self.seeds.randomElement(using: &numbers)?.utf8 ?? "".utf8)
            for _ in 0..<Int.random(in: 1...3, using: &numbers) { Self.mutate(&bytes, &numbers) }
            let json = JSONBytes(bytes)
            let problem = Self.problem(json)
            let isDecoded = (try? Consignment_Consignment(jsonUTF8Bytes: json.resolvingPairs)) != nil
            if problem == nil { accepted += 1 }
            guard (problem == nil) != isDecoded, problem?.hasSuffix("is given twice") != true else { continue }
            Issue.record("\(String(decoding: bytes, as: UTF8.self)): \(problem ?? "accepted"), decoded: \(isDecoded)")
        }
        // Both outcomes occurred.
        #expect(accepted > Self.mutations / 50 && accepted < Self.mutations / 2)
    }

    private static func problem(_ json: JSONBytes) -> String? {
        do throws(GatewayError) {
            try RequestCheck.check(json, as: Consignment_Consignment.messageDescription, root: "")
            return nil
        } catch {
            return error.detail
        }
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
