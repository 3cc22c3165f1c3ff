import CCurl

/// A request to a gateway.
struct HTTPRequest {
    /// From the gateway's root, without the slash before it.
    var path: String
    /// JSON to POST; not empty. `nil` for GET.
    var body: [UInt8]?
    /// `name: value`, of printable ASCII.
    var headers: [String] = []
    /// For HTTP's Basic authentication.
    var login: (user: String, password: String)?
}

/// A complete response.
struct HTTPResponse {
    var status: Int
    /// From `retry-after`, at most a day; 0 without one.
    var retryAfterSeconds = 0
    var body: [UInt8]
}

/// A request that got no complete response.
struct TransportError: Error, Equatable {
    enum Kind {
        case nameUnknown
        /// There was no connection, so the gateway has not seen the request.
        case unreachable
        /// The connection ended early. The request may have been carried out.
        case lost
        /// The response did not come in time. The request may have been carried out.
        case late
        /// The TLS handshake failed, or the certificate is not valid.
        case untrusted
        case tooLarge
        case other
    }

    var kind: Kind
    var text: String
}

/// An easy handle of libcurl: sends requests one after the other, over one connection while the gateway keeps it open.
/// Blocks.
///
/// Follows no redirects, since requests hold passwords and tokens. `CURLOPT_NOSIGNAL` stays off: with one thread that is
/// safe, and libcurl then ignores SIGPIPE while it writes, so that a lost connection does not end the program.
/// Source: https://curl.se/libcurl/c/curl_easy_setopt.html
final class HTTPClient {
    /// Of a response's body.
    static let bodyBytesMax = 32 * 1024 * 1024
    static let connectTimeout: Duration = .seconds(10)
    /// From connecting to the end of the response. The gateway responds within its `--timeout`, 5 s by default; a large page
    /// takes longer to transfer.
    static let timeout: Duration = .seconds(60)

    private static let isStarted = shippy_curl_start() == CURLE_OK

    private let url: GatewayURL
    /// A file with CA certificates (PEM); the system's where there is none.
    private let authorities: String?
    private let bodyBytesMax: Int
    private let handle: UnsafeMutableRawPointer
    /// libcurl writes what went wrong into it; allocated here as it must outlive each request.
    private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

    /// - Throws: ``TransportError`` when libcurl can't start.
    init(
        _ url: GatewayURL, authorities: String? = nil, bodyBytesMax: Int = HTTPClient.bodyBytesMax
    ) throws(TransportError) {
        guard Self.isStarted, let handle = curl_easy_init() else {
            throw TransportError(kind: .other, text: "libcurl did not start")
        }
        self.url = url
        self.authorities = authorities
        self.bodyBytesMax = bodyBytesMax
        self.handle = handle
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        curl_easy_cleanup(handle)
        errorText.deallocate()
    }

    /// Sends a request and waits for the complete response, whatever its status.
    func send(_ request: HTTPRequest) throws(TransportError) -> HTTPResponse {
        let body = ReceivedBody(bytesMax: bodyBytesMax)
        var headers: UnsafeMutablePointer<curl_slist>?
        for header in ["accept: application/json"] + request.headers { headers = curl_slist_append(headers, header) }
        if request.body != nil {
            headers = curl_slist_append(headers, "content-type: application/json")
            // libcurl would wait for 100 Continue before it sends a large body.
            headers = curl_slist_append(headers, "expect:")
        }
        defer {
            // Keeps the connection. List, body and login are freed, and a later request must not refer to them.
            curl_easy_reset(handle)
            curl_slist_free_all(headers)
        }
        errorText[0] = 0
        let code = withExtendedLifetime(body) {
            let failure = configure(request, headers: headers, body: body)
            return failure ?? curl_easy_perform(handle)
        }
        guard code == CURLE_OK else { throw error(code, isTooLarge: body.isTooLarge) }
        return HTTPResponse(
            status: shippy_curl_get_long(handle, CURLINFO_RESPONSE_CODE),
            retryAfterSeconds: Int(min(86_400, max(0, shippy_curl_get_offset(handle, CURLINFO_RETRY_AFTER)))),
            body: body.bytes)
    }

    /// - Returns: `nil` when all is well.
    private func configure(
        _ request: HTTPRequest, headers: UnsafeMutablePointer<curl_slist>?, body: ReceivedBody
    ) -> CURLcode? {
        let numbers: [(CURLoption, Int)] = [
            (CURLOPT_CONNECTTIMEOUT_MS, Self.connectTimeout.milliseconds),
            (CURLOPT_TIMEOUT_MS, Self.timeout.milliseconds), (CURLOPT_FOLLOWLOCATION, 0), (CURLOPT_TCP_NODELAY, 1),
            (CURLOPT_SSL_VERIFYPEER, 1), (CURLOPT_SSL_VERIFYHOST, 2),
            (CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2)),
        ]
        var texts = [
            (CURLOPT_URL, "\(url.text)/\(request.path)"), (CURLOPT_PROTOCOLS_STR, "http,https"),
            (CURLOPT_USERAGENT, "shippy"),
        ]
        // Proxies of the environment are used as by curl, except for this machine, which they can't reach.
        if url.isLoopback { texts.append((CURLOPT_PROXY, "")) }
        if let authorities { texts.append((CURLOPT_CAINFO, authorities)) }
        if let login = request.login {
            texts += [(CURLOPT_USERNAME, login.user), (CURLOPT_PASSWORD, login.password)]
        }
        var codes = numbers.map { shippy_curl_set_long(handle, $0.0, $0.1) }
        codes += texts.map { shippy_curl_set_text(handle, $0.0, $0.1) }
        if let bytes = request.body {
            codes.append(
                shippy_curl_set_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(bytes.count)))
            // Copied, by the size that is set before.
            codes.append(
                bytes.withUnsafeBytes {
                    shippy_curl_set_pointer(
                        handle, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: $0.baseAddress))
                })
        }
        codes += [
            shippy_curl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText),
            shippy_curl_set_pointer(handle, CURLOPT_HTTPHEADER, headers), body.install(on: handle),
        ]
        return codes.first { $0 != CURLE_OK }
    }

    private func error(_ code: CURLcode, isTooLarge: Bool) -> TransportError {
        let own = String(cString: errorText)
        let text = own.isEmpty ? String(cString: curl_easy_strerror(code)) : own
        let kind: TransportError.Kind =
            switch code {
            case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .nameUnknown
            case CURLE_COULDNT_CONNECT: .unreachable
            case CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_PARTIAL_FILE, CURLE_HTTP2,
                CURLE_HTTP2_STREAM:
                .lost
            // No byte of the request was sent: the time was spent on connecting.
            case CURLE_OPERATION_TIMEDOUT:
                shippy_curl_get_long(handle, CURLINFO_REQUEST_SIZE) > 0 ? .late : .unreachable
            case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
                CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER:
                .untrusted
            case CURLE_WRITE_ERROR: isTooLarge ? .tooLarge : .other
            default: .other
            }
        return TransportError(kind: kind, text: text)
    }
}

/// Collects the body of a response. Lives for one `curl_easy_perform`.
private final class ReceivedBody {
    private let bytesMax: Int
    private(set) var bytes: [UInt8] = []
    private(set) var isTooLarge = false

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    /// Makes a handle write to this object until it is reset.
    func install(on handle: UnsafeMutableRawPointer) -> CURLcode {
        let code = shippy_curl_set_write(handle) { data, size, count, context in
            guard let data, let context else { return 0 }
            let body = Unmanaged<ReceivedBody>.fromOpaque(context).takeUnretainedValue()
            return body.append(UnsafeRawBufferPointer(start: data, count: size * count))
        }
        guard code == CURLE_OK else { return code }
        // Not retained: the caller keeps the object alive during `curl_easy_perform`, and libcurl makes no other calls.
        return shippy_curl_set_pointer(handle, CURLOPT_WRITEDATA, Unmanaged.passUnretained(self).toOpaque())
    }

    /// - Returns: the number of bytes taken; libcurl ends the transfer if that is not all.
    private func append(_ part: UnsafeRawBufferPointer) -> Int {
        guard part.count <= bytesMax - bytes.count else {
            isTooLarge = true
            return 0
        }
        bytes.append(contentsOf: part)
        return part.count
    }
}

extension Duration {
    /// Whole milliseconds.
    var milliseconds: Int {
        Int(components.seconds) * 1_000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}
