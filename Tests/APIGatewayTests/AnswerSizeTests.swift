import Contracts
import SwiftProtobuf
import Testing

@testable import APIGateway

@Suite("Size of an answer as JSON")
struct AnswerSizeTests {
    private static var options: JSONEncodingOptions {
        var options = JSONEncodingOptions()
        options.preserveProtoFieldNames = true
        return options
    }

    /// The size computed from the wire bytes, and the size of the encoder's text.
    private func sizes<M: DescribedMessage>(_ message: M) throws -> (estimate: Int, exact: Int) {
        let bytes: [UInt8] = try message.serializedBytes()
        let text: [UInt8] = try message.jsonUTF8Bytes(options: Self.options)
        return (bytes.withUnsafeBytes { AnswerSize($0, as: M.messageDescription).jsonBytes }, text.count)
    }

    @Test(
        "the estimate is never too small, and not much too large, for any text",
        arguments: [
            "", "plain", "\u{1}\u{2}", "\"\\/\n\t", "船", "\u{7f}", "\u{85}\u{9f}é", "👩‍👩‍👧", "a\u{301}\u{323}", "\u{2028}",
        ])
    func bound(text: String) throws {
        let text = String(repeating: text, count: 40)
        var response = Consignment_Response()
        response.created = true
        response.nextPageToken = text
        for count in [0, 1, 10, 300] {
            response.consignments = (0..<count).map { number in
                .with {
                    $0.id = text
                    $0.weight = [0, 1, -1, .max, .min][number % 5]
                    $0.description_p = text
                    $0.containers = Array(repeating: .with { $0.origin = text }, count: number % 4)
                }
            }
            let sizes = try sizes(response)
            #expect(sizes.estimate >= sizes.exact)
            #expect(sizes.estimate <= 3 * sizes.exact + 100)
        }
    }

    @Test("a page of control characters takes six times its bytes")
    func controlCharacters() throws {
        let text = String(repeating: "\u{1}", count: 100_000)
        let sizes = try sizes(Consignment_Response.with { $0.consignment.description_p = text })
        #expect(sizes.exact > 600_000)
        #expect(sizes.estimate >= sizes.exact && sizes.estimate < sizes.exact + 1_000)
    }

    @Test("a text counts as one element, even if it reads like fields; a message counts with all that it holds")
    func elements() throws {
        let response = Consignment_Response.with {
            $0.consignments = Array(
                repeating: .with {
                    $0.description_p = String(repeating: "b\u{1}x", count: 300)
                    $0.containers = Array(repeating: .with { $0.origin = "b\u{1}x" }, count: 3)
                }, count: 100)
        }
        let bytes: [UInt8] = try response.serializedBytes()
        let size = bytes.withUnsafeBytes { AnswerSize($0, as: Consignment_Response.messageDescription) }
        #expect(size.elements == 100 * (1 + 1 + 3 + 3))
    }

    @Test("malformed bytes do no harm")
    func garbage() {
        for seed in 0..<200 {
            let bytes = (0..<300).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761 &+ seed &* 40_503) >> 9) }
            for length in [0, 1, 2, 3, 7, 300] {
                _ = bytes.prefix(length).withUnsafeBytes {
                    AnswerSize($0, as: Consignment_Response.messageDescription).jsonBytes
                }
            }
        }
    }
}
