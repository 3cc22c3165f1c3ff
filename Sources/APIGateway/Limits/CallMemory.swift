import NIOCore
import RPC

/// Memory of a call in the process's budget, in addition to what the server counts for the bytes of request and answer.
struct CallMemory: Sendable {
    private let budget: MemoryBudget

    /// Copies of an answer while it is encoded: a buffer is copied as it grows, and again at its end.
    private static let encodingFactor = 2
    /// Copies of a request that are counted here: the message, and the bytes for the service. The server has counted
    /// the text.
    private static let decodingFactor = 2

    init(_ budget: MemoryBudget) {
        self.budget = budget
    }

    /// Reserves memory for the time that a request is a message and on its way; `nil` for a small one.
    ///
    /// - Throws: 429 when there is no room.
    func request(_ json: JSONBytes?) throws(GatewayError) -> MemoryReservation? {
        guard let json, json.count >= ElementCount.bytesMin else { return nil }
        // Every object begins with a brace; braces in texts only raise the estimate. ``RequestCheck`` rejects a request
        // with more objects than a message may have.
        let objects = json.withUnsafeBytes { bytes in
            bytes.reduce(0) { $1 == UInt8(ascii: "{") ? $0 + 1 : $0 }
        }
        let elements = min(objects, MessageLimits.elementsMax)
        let bytes = elements * DecodedMemory.elementBytes + json.count * Self.decodingFactor
        guard let memory = MemoryReservation(bytes, .elements, of: budget) else { throw Self.exhausted }
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
