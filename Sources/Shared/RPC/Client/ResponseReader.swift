/// Reads a response: header fields, one message, trailers; says what they mean together. No I/O.
///
/// Source: gRPC over HTTP/2, "Responses"; "HTTP to gRPC Status Code Mapping"; "HTTP2 Transport Mapping, Errors";
/// RFC 9110 sections 6.5.1 (trailers are no headers) and 15.2 (informational responses).
struct ResponseReader {
    private enum Section {
        /// Waits for header fields, or reads them. -> `informational` at a status of 1xx, `body` at their end.
        case headers
        /// Fields of a response that another will follow; they mean nothing. -> `headers` at their end.
        case informational
        /// The header is complete. -> `trailers` at the next field.
        case body
        /// What comes now decides the call's outcome. Final.
        case trailers
    }

    /// Of the body of an answer that is not gRPC's, which is thrown away; more is not waited for.
    private static let foreignBytesMax = 64 * 1024

    private var section = Section.headers
    private var httpStatus = 0
    private var isGRPC = false
    private var code: Status.Code?
    private var message = ""
    private var metadata = Metadata()
    private var headerBytes = 0
    private var foreignBytes = 0
    private var hasData = false
    private var reader = MessageReader()
    private var rejection: Status?

    /// False when no more of the answer is wanted; the stream should be reset then. Not said twice.
    mutating func receive(
        _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, bytesMax: Int
    ) -> Bool {
        guard rejection == nil else { return true }
        // Over all sections, so that no number of informational responses is free.
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

    /// A header section or the trailers are complete.
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
            // The header is the trailers, too, where nothing follows it ("Trailers-Only").
            receiveTrailer(name, value)
        }
    }

    /// What was in the header was not said of the outcome.
    private mutating func beginTrailers() {
        section = .trailers
        code = nil
        message = ""
        metadata = Metadata()
    }

    private mutating func receiveTrailer(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        if name.equals("grpc-status") {
            let known = value.decimal(digitsMax: 3).flatMap(Status.Code.init(rawValue:)) ?? .unknown
            // Said twice, it says nothing.
            code = code == nil || code == known ? known : .unknown
        } else if name.equals("grpc-message") {
            message = PercentEncoding.decode(value)
        } else if !name.hasPrefix("grpc-"), !name.equals("content-type"), name.first != UInt8(ascii: ":") {
            metadata.add(name.text, value.text)
        }
    }

    /// Memory that the message so far takes.
    var heldBytes: Int { reader.heldBytes }

    /// Ends the call with `status`, whatever the server says from here on.
    mutating func fail(_ status: Status) {
        rejection = status
        reader = MessageReader()
    }

    /// False when no more of the answer is wanted; the stream should be reset then.
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
    /// - Parameter hasEnded: whether the server sent all of its side.
    mutating func outcome(_ closing: HTTP2ErrorCode, hasEnded: Bool, wasNeverSent: Bool) -> ClientCall.Outcome {
        if let rejection { return ClientCall.Outcome(result: .failure(rejection)) }
        if wasNeverSent || (closing == .refusedStream && httpStatus == 0) {
            return .notProcessed(Status(.unavailable, "the service refused the call"))
        }
        // A status is the answer's last word: none before its end, and in the header only where nothing follows.
        let code = hasEnded && (section == .trailers || !hasData) ? code : nil
        if httpStatus != 0, !isGRPC || (httpStatus != 200 && code == nil) {
            return ClientCall.Outcome(result: .failure(Self.status(forHTTP: httpStatus)))
        }
        guard hasEnded else { return .lost(Self.status(forReset: closing)) }
        switch code {
        case nil: return ClientCall.Outcome(result: .failure(Status(.unknown, "the answer ended without a status")))
        case .ok where reader.isComplete: return ClientCall.Outcome(result: .success(reader.take()))
        case .ok: return ClientCall.Outcome(result: .failure(Status(.internal, "the answer holds no message")))
        case let code?: return ClientCall.Outcome(result: .failure(Status(code, message, metadata: metadata)))
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
