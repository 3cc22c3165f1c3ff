import Contracts
import NIOCore
import SwiftProtobuf
import TestSupport
import Testing

@testable import RPC

@Suite("Number of elements in a message")
struct ElementCountTests {
    private func count(_ bytes: [UInt8], max: Int = .max) -> Int {
        bytes.withUnsafeBytes { ElementCount.count($0, max: max) }
    }

    @Test("messages and texts count, at every depth; numbers do not")
    func counts() throws {
        var response = Vessel_Response()
        #expect(try count(response.serializedBytes()) == 0)
        response.created = true
        #expect(try count(response.serializedBytes()) == 0)
        response.vessels = (0..<100).map { Vessel_Vessel(id: "", name: "", capacity: $0) }
        #expect(try count(response.serializedBytes()) == 100)
        response.vessels = (0..<100).map { Vessel_Vessel(id: "a b", name: "\($0 % 10)", capacity: $0) }
        #expect(try count(response.serializedBytes()) == 300)
    }

    @Test("empty containers are counted before they become objects, and counting ends at the limit")
    func emptyContainers() {
        let bytes = [UInt8](repeating: 0, count: 2_000_000).enumerated().map { $0.offset % 2 == 0 ? 0x22 : 0 as UInt8 }
        #expect(count(bytes) == 1_000_000)
        #expect(count(bytes, max: 20_000) == 20_001)
        // The rest of the message may be malformed: they would all have been decoded before that shows.
        #expect(count(bytes + [0xff, 0xff], max: 20_000) == 20_001)
    }

    @Test("the largest valid consignment is well within the limit")
    func largest() throws {
        let text = String(repeating: "船\n\"", count: 66)
        let consignment = Consignment_Consignment.with {
            $0.description_p = String(repeating: "a\n", count: 500)
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
        #expect(try count(consignment.serializedBytes()) < MessageLimits.elementsMax)
    }

    @Test("any bytes are counted in bounded time and without harm", arguments: 0..<50)
    func anyBytes(seed: Int) {
        var bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761 &+ seed) >> 7) }
        _ = count(bytes)
        for index in bytes.indices where index % 3 == seed % 3 {
            bytes[index] = UInt8([0x0a, 0x0b, 0x0c, 0xff][seed % 4])
        }
        _ = count(bytes)
        for length in 0..<40 { _ = count(Array(bytes.prefix(length))) }
    }

    @Test("nested messages are scanned to a bounded depth, in one pass")
    func nested() {
        var bytes: [UInt8] = []
        for _ in 0..<60 { bytes = [0x0a, UInt8(bytes.count)] + bytes }
        #expect(count(bytes) <= 60 && count(bytes) > ElementCount.depthMax)
        let clock = ContinuousClock()
        // The same bytes at 8 depths, and flat.
        let flat = [UInt8](repeating: 0x61, count: 4_000_000)
        let plain = clock.measure { _ = count(flat) }
        var deep = [UInt8](repeating: 0x61, count: 4_000_000 - 40)
        for _ in 0..<8 { deep = [0x0a] + varint(deep.count) + deep }
        let nested = clock.measure { _ = count(deep) }
        #expect(nested < plain * 5 + .milliseconds(50))
    }

    private func varint(_ value: Int) -> [UInt8] {
        value < 128 ? [UInt8(value)] : [UInt8(value & 127 | 128)] + varint(value >> 7)
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
