import NIOCore
import RPC

/// The memory that a call takes of the process's budget, beside what the server takes for the bytes of request and answer.
struct CallMemory: Sendable {
    private let budget: MemoryBudget

    /// While it is encoded an answer is there twice: as it grows it is copied, and at its end.
    private static let encodingFactor = 2
    /// A request is there three times: as text, which the server has counted, as a message, and as bytes for the service.
    private static let decodingFactor = 2

    init(_ budget: MemoryBudget) {
        self.budget = budget
    }

    /// For the time that a request is a message and on its way; `nil` for a small one.
    ///
    /// - Throws: 429 when there is no room.
    func request(_ json: JSONBytes?) throws(GatewayError) -> MemoryReservation? {
        guard let json, json.count >= ElementCount.bytesMin else { return nil }
        // Whatever begins with a brace becomes an object; braces in texts only make it dearer. More than a message may have
        // are found, and refused, where it is decoded.
        let objects = json.withUnsafeBytes { bytes in
            bytes.reduce(0) { $1 == UInt8(ascii: "{") ? $0 + 1 : $0 }
        }
        let elements = min(objects, MessageLimits.elementsMax)
        let bytes = elements * DecodedMemory.elementBytes + json.count * Self.decodingFactor
        guard let memory = MemoryReservation(bytes, .elements, of: budget) else { throw Self.exhausted }
        return memory
    }

    /// For an answer that takes at most so many bytes as JSON, before it is encoded.
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
    /// What is held until the caller has the body; `nil` for a small one, for which the server takes it.
    var memory: MemoryReservation?
}
