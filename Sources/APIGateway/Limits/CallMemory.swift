import NIOCore
import RPC

/// Memory of a call in the process's budget, in addition to what the server counts for the bytes of request and answer.
struct CallMemory: Sendable {
    private let budget: MemoryBudget

    /// Copies of an answer while it is encoded: the text, and the buffer that the server writes out of.
    private static let encodingFactor = 2
    /// Copies of a request that are counted here: the bytes for the service, and one as they grow. The server has counted
    /// the text.
    private static let decodingFactor = 2
    /// Size from which requests are counted, in bytes; shorter ones hold little in any case.
    private static let requestBytesMin = 4 * 1024

    init(_ budget: MemoryBudget) {
        self.budget = budget
    }

    /// Reserves memory for the time that a request is on its way to its service; `nil` for a small one.
    ///
    /// - Throws: 429 when there is no room.
    func request(_ json: ByteBuffer?) throws(GatewayError) -> MemoryReservation? {
        guard let json, json.readableBytes >= Self.requestBytesMin else { return nil }
        guard let memory = MemoryReservation(json.readableBytes * Self.decodingFactor, .elements, of: budget) else {
            throw Self.exhausted
        }
        return memory
    }

    /// Reserves memory for an answer of at most so many bytes as JSON, before it is encoded.
    ///
    /// - Throws: RESOURCE_EXHAUSTED when there is no room.
    func answer(jsonBytes: Int) throws(Status) -> MemoryReservation {
        guard let memory = MemoryReservation(jsonBytes * Self.encodingFactor, .responses, of: budget) else {
            throw .outOfMemory
        }
        return memory
    }

    private static let exhausted: GatewayError = {
        var error = GatewayError(429, "the gateway holds as many bytes for its callers as it may; try again in 1 s")
        error.retryAfter = "1"
        return error
    }()
}

/// A service's answer as JSON.
struct GatewayAnswer {
    var body: ByteBuffer
    /// Memory that is held until the caller has read the body; `nil` for a small one, which the server counts.
    var memory: MemoryReservation?
}
