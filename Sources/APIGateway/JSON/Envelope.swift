import NIOCore

/// The body of `POST /rpc`: which method of which service, and its request.
struct Envelope {
    /// A name in the body, or out of it when it had escapes.
    typealias Name = ByteBuffer

    var service: Name
    var method: Name
    /// The request message as JSON; `nil` for the empty message.
    var request: JSONBytes?
}

extension Envelope {
    /// Reads a JSON body in one pass. What it finds are slices of `body`, so that nothing is copied.
    ///
    /// Whether `request` is right is left to whoever decodes it; only its extent is found here.
    init(json body: ByteBuffer) throws(GatewayError) {
        var fields = Fields()
        let failure: GatewayError? = body.withUnsafeReadableBytes { bytes in
            do throws(GatewayError) {
                try fields.read(bytes, from: body)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
        self = try fields.envelope()
    }

    /// The fields found so far, and the rules that JSON bodies and forms share.
    struct Fields {
        private(set) var service: Name?
        private(set) var method: Name?
        private(set) var request: JSONBytes?
        private var hasRequest = false

        func envelope() throws(GatewayError) -> Envelope {
            guard let service, service.readableBytes > 0 else { throw GatewayError(400, "service is missing") }
            guard let method, method.readableBytes > 0 else { throw GatewayError(400, "method is missing") }
            return Envelope(service: service, method: method, request: request)
        }

        mutating func set(service name: Name) throws(GatewayError) {
            guard service == nil else { throw Self.repeated("service") }
            service = name
        }

        mutating func set(method name: Name) throws(GatewayError) {
            guard method == nil else { throw Self.repeated("method") }
            method = name
        }

        mutating func set(request json: JSONBytes?) throws(GatewayError) {
            guard !hasRequest else { throw Self.repeated("request") }
            hasRequest = true
            request = json
        }

        /// JSON text as the value of `request`: empty and `null` mean the empty message.
        mutating func set(requestText text: ByteBuffer) throws(GatewayError) {
            let isEmpty = text.withUnsafeReadableBytes { bytes in
                var cursor = JSONCursor(bytes)
                return cursor.peek() == nil || (cursor.take(word: "null") && cursor.peek() == nil)
            }
            try set(request: isEmpty ? nil : JSONBytes(text))
        }

        static func repeated(_ name: String) -> GatewayError {
            GatewayError(400, "\(name) is given twice")
        }

        static func unknown(_ name: String) -> GatewayError {
            if name == "address" {
                // micro lets a caller name any host there; a gateway must not be steered to other hosts.
                return GatewayError(400, "address is not supported: the gateway knows where its services are")
            }
            return GatewayError(400, "unknown field \"\(name.shortened)\"")
        }
    }
}

extension Envelope.Fields {
    fileprivate mutating func read(_ bytes: UnsafeRawBufferPointer, from body: ByteBuffer) throws(GatewayError) {
        do throws(JSONSyntaxError) {
            var cursor = JSONCursor(bytes)
            if let problem = try read(&cursor, from: body) { throw problem }
            try cursor.expectEnd()
        } catch let error as JSONSyntaxError {
            throw GatewayError(400, "the body is not valid JSON at byte \(error.offset): \(error.reason)")
        }
    }
}
