import Contracts
import SwiftProtobuf
import Testing

@testable import Transcoding

@Suite("Size of a message as JSON")
struct JSONSizeTests {
    private func size<M: Message>(_ bytes: [UInt8], as type: M.Type) -> JSONSize {
        bytes.withUnsafeBytes { JSONSize($0, as: Transcoder.message(type), of: Transcoder.schema) }
    }

    /// The size computed from the wire bytes, and the size of the text.
    private func sizes<M: Message>(_ message: M) throws -> (estimate: Int, exact: Int) {
        let bytes: [UInt8] = try message.serializedBytes()
        let text = try Transcoder.json(bytes, as: Transcoder.message(M.self))
        return (size(bytes, as: M.self).jsonBytes, text.count)
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

    @Test("the estimate is never too small for random messages of every type")
    func random() throws {
        for type in Transcoder.types {
            let message = Transcoder.message(type)
            var random = RandomMessages(seed: 6)
            for _ in 0..<100 {
                let bytes = random.message(message)
                let text = try Transcoder.json(bytes, as: message)
                let size = bytes.withUnsafeBytes { JSONSize($0, as: message, of: Transcoder.schema) }
                #expect(size.jsonBytes >= text.count, "\(text.text)")
            }
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
        #expect(size(bytes, as: Consignment_Response.self).elements == 100 * (1 + 1 + 3 + 3))
    }

    @Test("malformed bytes do no harm")
    func garbage() {
        for seed in 0..<200 {
            let bytes = (0..<300).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761 &+ seed &* 40_503) >> 9) }
            for length in [0, 1, 2, 3, 7, 300] {
                _ = size(Array(bytes.prefix(length)), as: Consignment_Response.self)
            }
        }
    }
}
