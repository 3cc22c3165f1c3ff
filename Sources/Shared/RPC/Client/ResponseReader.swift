/// Reads a response: header fields, one message, trailers; says what they mean together. No I/O.
///
/// Source: gRPC over HTTP/2, "Responses"; "HTTP to gRPC Status Code Mapping"; "HTTP2 Transport Mapping, Errors";
/// RFC 9110 sections 6.5.1 (trailers are no headers) and 15.2 (informational responses).
struct ResponseReader {
    private enum Section {
        /// Waits for header fields, or reads them. -> `informational` at a status of 1xx, `body` at their end.
        case headers
        /// An informational response, which is ignored. -> `headers` at its end.
        case informational
        /// The header is complete. -> `trailers` at the next field.
        case body
        /// The trailers, which decide the call's outcome. Final.
        case trailers
    }

    /// Bytes of a body that is not gRPC's, which is dropped; after more the stream is reset.
    private static let foreignBytesMax = 64 * 1024

    private var section = Section.headers
    private var httpStatus = 0
    private var isGRPC = false
    private var code: Status.Code?
    private var message = ""
    private var metadata = Metadata()
    private var details: [ErrorDetail] = []
    private var headerBytes = 0
    private var foreignBytes = 0
    private var hasData = false
    private var reader = MessageReader()
    private var rejection: Status?

    /// Reads a field. Returns false, once, when no more of the answer is wanted; the stream should be reset then.
    mutating func receive(
        _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, bytesMax: Int
    ) -> Bool {
        guard rejection == nil else { return true }
        // Over all sections, so that informational responses are bounded, too.
        headerBytes += name.count + value.count + 32
        guard headerBytes <= bytesMax else {
            rejection = Status(.resourceExhausted, "the answer's header list is larger than \(bytesMax) bytes")
            return false
        }
        switch section {
        case .headers: receiveHeader(name, value)
        case .informational: break
        case .body:
            beginTrailers()
            receiveTrailer(name, value)
        case .trailers: receiveTrailer(name, value)
        }
        return true
    }

    /// Ends a header section or the trailers.
    mutating func endSection() {
        switch section {
        case .headers: section = .body
        case .informational: section = .headers
        case .body: beginTrailers()
        case .trailers: break
        }
    }

    private mutating func receiveHeader(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        if name.equals(":status") {
            httpStatus = value.decimal(digitsMax: 3) ?? 0
            if (100..<200).contains(httpStatus) {
                httpStatus = 0
                section = .informational
            }
        } else if name.equals("content-type") {
            isGRPC = value.isGRPCMediaType
        } else {
            // Without a body the header section is also the trailers ("Trailers-Only").
            receiveTrailer(name, value)
        }
    }

    /// Drops what the header section said about the outcome: only the trailers count.
    private mutating func beginTrailers() {
        section = .trailers
        code = nil
        message = ""
        metadata = Metadata()
        details = []
    }

    private mutating func receiveTrailer(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        if name.equals("grpc-status") {
            let known = value.decimal(digitsMax: 3).flatMap(Status.Code.init(rawValue:)) ?? .unknown
            // Codes that contradict each other count as UNKNOWN.
            code = code == nil || code == known ? known : .unknown
        } else if name.equals("grpc-message") {
            message = PercentEncoding.decode(message: value)
        } else if name.equals(ErrorDetail.trailer) {
            details = ErrorDetail.details(inTrailer: value.text)
        } else if !name.hasPrefix("grpc-"), !name.equals("content-type"), name.first != UInt8(ascii: ":") {
            metadata.add(name.text, value.text)
        }
    }

    /// Memory of the message so far, in bytes.
    var heldBytes: Int { reader.heldBytes }

    /// Fails the call with `status`, whatever the server sends from here on.
    mutating func fail(_ status: Status) {
        rejection = status
        reader = MessageReader()
    }

    /// Reads a piece of the body. Returns false when no more of the answer is wanted; the stream should be reset then.
    mutating func receive(_ data: UnsafeRawBufferPointer, bytesMax: Int) -> Bool {
        hasData = true
        guard rejection == nil else { return true }
        guard httpStatus == 200, isGRPC else {
            foreignBytes += data.count
            return foreignBytes <= Self.foreignBytesMax
        }
        do {
            try reader.append(data, bytesMax: bytesMax)
            return true
        } catch {
            switch error {
            case .tooLarge(let bytes):
                rejection = Status(.resourceExhausted, "an answer of \(bytes) bytes is larger than \(bytesMax)")
            case .compressed: rejection = Status(.internal, "the answer is compressed, which was not offered")
            case .moreThanOne: rejection = Status(.unimplemented, "the answer holds more than one message")
            case .malformedPrefix: rejection = Status(.internal, "the answer's prefix is malformed")
            }
            return false
        }
    }

    /// What the call came to, once its stream has closed with `closing`.
    ///
    /// - Parameter hasEnded: whether the server ended its side of the stream.
    mutating func outcome(_ closing: HTTP2ErrorCode, hasEnded: Bool, wasNeverSent: Bool) -> ClientCall.Outcome {
        if let rejection { return ClientCall.Outcome(result: .failure(rejection)) }
        if wasNeverSent || (closing == .refusedStream && httpStatus == 0) {
            return .notProcessed(Status(.unavailable, "the service refused the call"))
        }
        // A status counts only at the end of the stream, and in the header section only when nothing follows it.
        let code = hasEnded && (section == .trailers || !hasData) ? code : nil
        if httpStatus != 0, !isGRPC || (httpStatus != 200 && code == nil) {
            return ClientCall.Outcome(result: .failure(Self.status(forHTTP: httpStatus)))
        }
        guard hasEnded else { return .lost(Self.status(forReset: closing)) }
        switch code {
        case nil: return ClientCall.Outcome(result: .failure(Status(.unknown, "the answer ended without a status")))
        case .ok where reader.isComplete: return ClientCall.Outcome(result: .success(reader.take()))
        case .ok: return ClientCall.Outcome(result: .failure(Status(.internal, "the answer holds no message")))
        case let code?:
            return ClientCall.Outcome(result: .failure(Status(code, message, metadata: metadata, details: details)))
        }
    }

    private static func status(forHTTP code: Int) -> Status {
        let text = "the service answered with HTTP status \(code), not as gRPC does"
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
