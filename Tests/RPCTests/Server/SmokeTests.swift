import Contracts
import RPC
import Testing

@Suite("Our client and our server")
struct OwnPeersTests {
    @Test("a call is answered")
    func echo() async throws {
        try await withServer { server in
            try await server.servesAGoodClient()
        }
    }
}
