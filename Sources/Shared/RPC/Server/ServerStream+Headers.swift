import NIOCore

/// Reads the request's header fields as gRPC over HTTP/2 defines them ("Requests").
extension ServerStream {
    func receive(
        _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, routes: [ServerRoute], bytesMax: Int
    ) {
        headerBytes += name.count + value.count + 32
        guard headerBytes <= bytesMax else {
            reject(.status(Status(.resourceExhausted, "the header list is larger than \(bytesMax) bytes")))
            return
        }
        // Fields after the headers are trailers of the request; gRPC gives them no meaning.
        guard !hasHeaders, let first = name.first else { return }
        switch first {
        case UInt8(ascii: ":"): receivePseudo(name, value, routes)
        case UInt8(ascii: "c") where name.equals("content-type"): isGRPC = value.isGRPCMediaType
        case UInt8(ascii: "t") where name.equals("te"): break
        case UInt8(ascii: "u") where name.equals("user-agent"): break
        case UInt8(ascii: "g") where name.hasPrefix("grpc-"): receiveReserved(name, value)
        default: receiveMetadata(name, value)
        }
    }

    /// Takes a value of printable ASCII, which is all that gRPC allows ("ASCII-Value"). In others the bytes that are no
    /// UTF-8 would be replaced, so that two values became equal.
    private func receiveMetadata(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        // Those of a trace may hold tabs, and are checked by who reads them.
        if value.isPrintableASCII || name.equals("tracestate") || name.equals("traceparent") {
            metadata.add(name.text, value.text)
        } else if name.equals("idempotency-key") || name.equals("authorization") || name.equals("token") {
            // Without them it would be another call.
            reject(.status(.invalid(name.text, "\(name.text) must be printable ASCII")))
        }
    }

    private func receivePseudo(
        _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ routes: [ServerRoute]
    ) {
        if name.equals(":path") {
            // A handful of routes: comparing bytes beats hashing them.
            for candidate in routes where value.equals(candidate.pathBytes) {
                route = candidate
                break
            }
        } else if name.equals(":method") {
            isPost = value.equals("POST")
        }
    }

    private func receiveReserved(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        if name.equals("grpc-timeout") {
            guard let nanoseconds = Deadline.nanoseconds(grpcTimeout: value) else {
                reject(.status(.invalid("grpc-timeout", "grpc-timeout is malformed")))
                return
            }
            let now = NIODeadline.now()
            let (end, overflow) = now.uptimeNanoseconds.addingReportingOverflow(UInt64(nanoseconds))
            deadline = overflow || end >= Int64.max ? .never : Deadline(.uptimeNanoseconds(end))
        } else if name.equals("grpc-encoding") {
            if !value.equals("identity") { encoding = value.text.shortened() }
        } else if name.equals("grpc-previous-rpc-attempts"), value.count <= 3 {
            metadata.add(Metadata.attempts, value.text)
        }
        // Others (grpc-accept-encoding, grpc-trace-bin, ...) ask nothing of us.
    }

    /// Sets the rejection; the first one counts, and only its text is made.
    func reject(_ new: @autoclosure () -> Rejection) {
        if rejection == nil { rejection = new() }
    }

    /// Rejects a call that can't be run, once its headers are complete.
    func checkHeaders() {
        hasHeaders = true
        if rejection != nil { return }
        if !isPost {
            reject(.http("405"))
        } else if !isGRPC {
            reject(.http("415"))
        } else if route == nil {
            reject(.status(Status(.unimplemented, "there is no such method")))
        }
    }
}
