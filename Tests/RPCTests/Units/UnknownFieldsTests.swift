import Contracts
import Testing

@testable import RPC

@Suite("Unknown fields", .timeLimit(.minutes(10)))
struct UnknownFieldsTests {
    /// Field 1000, with `count` bytes.
    private func unknown(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = [0xc2, 0x3e]
        var rest = count
        repeat {
            bytes.append(UInt8(rest & 0x7f) | (rest > 0x7f ? 0x80 : 0))
            rest >>= 7
        } while rest > 0
        return bytes + [UInt8](repeating: 0x55, count: count)
    }

    @Test("are dropped at any depth, and the others are read")
    func nested() throws {
        let known = Consignment_Consignment.with {
            $0.weight = 7
            $0.containers = [.with { $0.origin = "Derby" }]
        }
        var wish = known
        // Also a group and a number: 1001, 1002.
        try wish.merge(serializedBytes: unknown(10) + [0xcb, 0x3e, 0x08, 0x01, 0xcc, 0x3e, 0xd0, 0x3e, 0x05])
        try wish.containers[0].merge(serializedBytes: unknown(20))
        let bytes: [UInt8] = try wish.serializedBytes()
        #expect(try Consignment_Consignment(serializedBytes: bytes) != known)
        #expect(try Consignment_Consignment(knownFieldsOf: bytes) == known)
    }

    @Test("reach no handler")
    func server() async throws {
        try await withServer { server in
            try await withClient(server.port) { client in
                var wish = Vessel_Vessel.with { $0.name = "v" }
                try wish.merge(serializedBytes: unknown(100_000))
                #expect(!wish.unknownFields.data.isEmpty)
                let answer = try await client.call(TestMethods.echo, wish, deadline: .after(.seconds(20)))
                #expect(answer == .with { $0.name = "v" })
            }
        }
    }
}
