/// Reads a response: header fields, one message, trailers; says what they mean together. No I/O.
///
/// Source: gRPC over HTTP/2, "Responses"; "HTTP to gRPC Status Code Mapping"; "HTTP2 Transport Mapping, Errors".
struct ResponseReader {
    private var httpStatus = 0
    private var isGRPC = false
    private var code: Status.Code?
    private var message = ""
    private var metadata = Metadata()
    private var headerBytes = 0
    private var reader = MessageReader()
    private var objection: Status?

    mutating func receive(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, bytesMax: Int) {
        headerBytes += name.count + value.count + 32
        guard headerBytes <= bytesMax else {
            objection = Status(.resourceExhausted, "the answer's header list is larger than \(bytesMax) bytes")
            return
        }
        if name.equals("grpc-status") {
            code = Int(value.text).map { Status.Code(rawValue: $0) ?? .unknown } ?? .unknown
        } else if name.equals(":status") {
            // An informational response may come first; the last one counts.
            httpStatus = Int(value.text) ?? 0
        } else if name.equals("content-type") {
            isGRPC = value.hasPrefix("application/grpc")
        } else if name.equals("grpc-message") {
            message = PercentEncoding.decode(value)
        } else if !name.hasPrefix("grpc-"), name.first != UInt8(ascii: ":") {
            metadata.add(name.text, value.text)
        }
    }

    /// Memory that the message so far takes.
    var heldBytes: Int { reader.heldBytes }

    /// Ends the call with `status`, whatever the server says from here on.
    mutating func fail(_ status: Status) {
        objection = status
        reader = MessageReader()
    }

    /// False when the message can't be taken; the stream should be reset then.
    mutating func receive(_ data: UnsafeRawBufferPointer, bytesMax: Int) -> Bool {
        guard objection == nil, httpStatus == 200, isGRPC else { return true }
        do {
            try reader.append(data, bytesMax: bytesMax)
            return true
        } catch {
            switch error {
            case .tooLarge(let bytes):
                objection = Status(.resourceExhausted, "an answer of \(bytes) bytes is larger than \(bytesMax)")
            case .compressed: objection = Status(.internal, "the answer is compressed, which was not offered")
            case .moreThanOne: objection = Status(.unimplemented, "the answer holds more than one message")
            case .malformedPrefix: objection = Status(.internal, "the answer's prefix is malformed")
            }
            return false
        }
    }

    /// What the call came to, once its stream has closed with `closing`.
    mutating func outcome(_ closing: HTTP2ErrorCode, wasNeverSent: Bool) -> ClientCall.Outcome {
        if let objection { return ClientCall.Outcome(result: .failure(objection)) }
        if wasNeverSent || (closing == .refusedStream && httpStatus == 0) {
            return .notProcessed(Status(.unavailable, "the service refused the call"))
        }
        if httpStatus != 0, httpStatus != 200 || !isGRPC, code == nil {
            return ClientCall.Outcome(result: .failure(Self.status(forHTTP: httpStatus)))
        }
        if let code {
            guard code == .ok else {
                return ClientCall.Outcome(result: .failure(Status(code, message, metadata: metadata)))
            }
            if reader.isComplete { return ClientCall.Outcome(result: .success(reader.take())) }
            return ClientCall.Outcome(result: .failure(Status(.internal, "the answer holds no message")))
        }
        return .lost(Self.status(forReset: closing))
    }

    private static func status(forHTTP code: Int) -> Status {
        let text = "the service answered with HTTP status \(code)"
        return switch code {
        case 400: Status(.internal, text)
        case 401: Status(.unauthenticated, text)
        case 403: Status(.permissionDenied, text)
        case 404: Status(.unimplemented, text)
        case 429, 502, 503, 504: Status(.unavailable, text)
        default: Status(.unknown, text)
        }
    }

    private static func status(forReset code: HTTP2ErrorCode) -> Status {
        switch code {
        case .refusedStream: Status(.unavailable, "the service refused the call")
        case .cancel: Status(.cancelled, "the service cancelled the call")
        case .enhanceYourCalm: Status(.resourceExhausted, "the service asks for fewer calls")
        case .inadequateSecurity: Status(.permissionDenied, "the service asks for better security")
        default: Status(.internal, "the answer ended early (HTTP/2 error \(code.rawValue))")
        }
    }
}
