import Contracts
import NIOCore
import SwiftProtobuf
import TestSupport
import Testing

@testable import RPC

@Suite("Number of elements in a message")
struct ElementCountTests {
    private func count(
        _ bytes: [UInt8], as type: any Message.Type = Consignment_Consignment.self, max: Int = .max
    ) -> Int {
        bytes.withUnsafeBytes { ElementCount.count($0, of: MessageShape(of: type), max: max) }
    }

    @Test("messages and texts count, at every depth; numbers do not")
    func counts() throws {
        var response = Vessel_Response()
        #expect(try count(response.serializedBytes(), as: Vessel_Response.self) == 0)
        response.created = true
        #expect(try count(response.serializedBytes(), as: Vessel_Response.self) == 0)
        response.vessels = (0..<100).map { Vessel_Vessel(id: "", name: "", capacity: $0) }
        #expect(try count(response.serializedBytes(), as: Vessel_Response.self) == 100)
        response.vessels = (0..<100).map { Vessel_Vessel(id: "a b", name: "\($0 % 10)", capacity: $0) }
        #expect(try count(response.serializedBytes(), as: Vessel_Response.self) == 300)
    }

    @Test("empty containers are counted before they become objects, and counting ends at the limit")
    func emptyContainers() {
        let bytes = [UInt8](repeating: 0, count: 2_000_000).enumerated().map { $0.offset % 2 == 0 ? 0x22 : 0 as UInt8 }
        #expect(count(bytes) == 1_000_000)
        #expect(count(bytes, max: 20_000) == 20_001)
        // The rest of the message may be malformed: they would all have been decoded before that shows.
        #expect(count(bytes + [0xff, 0xff], max: 20_000) == 20_001)
    }

    @Test(
        "a text is one element whatever it reads like",
        arguments: ["船\n\"", "\n", "\n\0", "\"\0", "\u{1}"])
    func texts(pattern: String) throws {
        let text = String(repeating: pattern, count: 60)
        let consignment = Consignment_Consignment.with {
            $0.description_p = String(repeating: pattern, count: 500)
            $0.weight = 1
            $0.containers = (0..<1_000).map { _ in
                .with {
                    $0.id = text
                    $0.customerID = text
                    $0.origin = text
                    $0.userID = text
                }
            }
        }
        #expect(try count(consignment.serializedBytes()) == 5_001)
        let request = Vessel_UpdateRequest.with {
            $0.vessel = Vessel_Vessel(id: text, name: String(repeating: pattern, count: 500_000))
            $0.updateMask.paths = [text, text]
        }
        #expect(try count(request.serializedBytes(), as: Vessel_UpdateRequest.self) == 6)
    }

    @Test("an unknown field is one element, which is not decoded")
    func unknown() {
        let inner = [UInt8](repeating: 0, count: 100).enumerated().map { $0.offset % 2 == 0 ? 0x22 : 0 as UInt8 }
        // Field 9 of a consignment, field 5 of a container.
        #expect(count([0x4a, 100] + inner) == 1)
        #expect(count([0x22, 102, 0x2a, 100] + inner) == 2)
        // A field number that no message has.
        #expect(count([0xfa, 0xff, 0xff, 0xff, 0x0f, 100] + inner) == 1)
    }

    @Test("a name of 500,000 line feeds passes both ways")
    func lineFeeds() async throws {
        let name = String(repeating: "\n", count: 500_000)
        try await withServer { server in
            try await withClient(server.port) { client in
                let answer = try await client.echo(name)
                #expect(answer.name == name)
            }
        }
    }

    @Test("any bytes are counted in bounded time and without harm", arguments: 0..<50)
    func anyBytes(seed: Int) {
        var bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761 &+ seed) >> 7) }
        _ = count(bytes)
        for index in bytes.indices where index % 3 == seed % 3 {
            bytes[index] = UInt8([0x0a, 0x0b, 0x0c, 0xff][seed % 4])
        }
        _ = count(bytes)
        _ = count(bytes, as: Otlp_ExportRequest.self)
        for length in 0..<40 { _ = count(Array(bytes.prefix(length))) }
    }

    @Test("nested messages are scanned as deep as they are decoded, in one pass")
    func nested() {
        // AnyValue.array_value, ArrayValue.values, and so on: types that contain each other.
        var bytes: [UInt8] = []
        for level in 0..<300 { bytes = [tag(level)] + varint(bytes.count) + bytes }
        #expect(count(bytes, as: Otlp_AnyValue.self) == ElementCount.depthMax + 1)
        let decoded = try? Otlp_AnyValue(knownFieldsOf: bytes)
        #expect(decoded == nil)
        let clock = ContinuousClock()
        // The same bytes at 8 depths, and flat.
        let flat = [UInt8](repeating: 0x61, count: 4_000_000)
        let plain = clock.measure { _ = count(flat) }
        var deep = [UInt8](repeating: 0x61, count: 4_000_000 - 40)
        for level in 0..<8 { deep = [tag(level)] + varint(deep.count) + deep }
        let nested = clock.measure { _ = count(deep, as: Otlp_AnyValue.self) }
        #expect(nested < plain * 5 + .milliseconds(50))
    }

    /// Level 0 is ArrayValue.values, level 1 AnyValue.array_value around it, and so on.
    private func tag(_ level: Int) -> UInt8 { level % 2 == 0 ? 0x0a : 0x2a }

    private func varint(_ value: Int) -> [UInt8] {
        value < 128 ? [UInt8(value)] : [UInt8(value & 127 | 128)] + varint(value >> 7)
    }

    @Test("memory is reserved for many elements in few bytes, and not for few elements")
    func reservation() throws {
        let budget = MemoryBudget()
        let shape = MessageShape(of: Consignment_Consignment.self)
        let containers = (0..<4_094).map { $0 % 2 == 0 ? 0x22 : 0 as UInt8 }
        let number: [UInt8] = [0x18, 1]
        for count in [0, 1, 64] {
            // Few elements among many numbers, too.
            for numbers in [0, 500] {
                var few = Array(containers.prefix(2 * count))
                for _ in 0..<numbers { few += number }
                let reserved = try DecodedMemory.reserve(for: few, shape, of: budget)
                #expect(reserved == nil)
            }
        }
        for count in [65, 2_047] {
            let bytes = Array(containers.prefix(2 * count))
            let reserved = try DecodedMemory.reserve(for: bytes, shape, of: budget)
            #expect(budget.usedBytes(.elements) == count * DecodedMemory.elementBytes + bytes.count)
            withExtendedLifetime(reserved) {}
        }
        #expect(budget.usedBytes(.elements) == 0)
        #expect(budget.take(budget.bytesMax(.elements), .elements))
        var refused: Status?
        do throws(Status) {
            _ = try DecodedMemory.reserve(for: containers, shape, of: budget)
        } catch {
            refused = error
        }
        #expect(refused == .outOfMemory)
    }

    @Test("a message of too many elements gets RESOURCE_EXHAUSTED and reaches no handler")
    func server() async throws {
        try await withServer { server in
            try await withClient(server.port) { client in
                let many = Method<Consignment_Consignment, Vessel_Vessel>(service: TestMethods.service, name: "Echo")
                let request = Consignment_Consignment.with { consignment in
                    consignment.containers = Array(repeating: .init(), count: 30_000)
                }
                let refused = await status { try await client.call(many, request, deadline: .after(.seconds(20))) }
                #expect(refused.code == .resourceExhausted)
                #expect(refused.message.contains("\(MessageLimits.elementsMax)"))
                #expect(refused.details == [.errorInfo(reason: "TOO_MANY_ELEMENTS")])
                #expect(server.log.began == 0)
                let other = try await client.echo("others")
                #expect(other.name == "others")
            }
        }
    }

    private func status<R>(_ body: () async throws -> R) async -> Status {
        do {
            _ = try await body()
            return .ok
        } catch {
            return Status(error)
        }
    }
}
