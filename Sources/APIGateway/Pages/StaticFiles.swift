import HTTP
import NIOCore
import RPC

/// The web page's files, all in memory: read once, looked up by their exact path.
///
/// No request ever becomes a file name, so there is nothing to climb out of; and no request waits for a disk.
struct StaticFiles: Sendable {
    struct File: Sendable {
        let body: ByteBuffer
        let contentType: String
        /// A strong validator: a digest of the content, in its quotes.
        let etag: String
    }

    private let files: [ByteKey: File]
    /// Bytes of the longest path in ``files``; a longer path matches none.
    private let pathBytesMax: Int

    /// - Parameter contents: by path below the folder, such as `js/app.js`.
    // text: names of our own files, at the start.
    init(contents: [String: ByteBuffer]) {
        var files: [ByteKey: File] = [:]
        for (path, body) in contents {
            let file = File(
                body: body, contentType: Self.contentType(of: path), etag: Self.etag(of: body))
            files[ByteKey("/\(path)")] = file
            // text: a name of our own files.
            if path == "index.html" {
                files[ByteKey("/")] = file
                // text: as above.
            } else if path.hasSuffix("/index.html") {
                files[ByteKey("/\(path.dropLast("index.html".count))")] = file
            }
        }
        self.files = files
        pathBytesMax = files.keys.map(\.text.utf8.count).max() ?? 0
    }

    var count: Int { files.count }

    /// - Parameter path: as in the request target, percent-encoded.
    func file(at path: String) -> File? {
        // An encoded byte takes three.
        guard path.utf8.count <= 3 * pathBytesMax else { return nil }
        if let file = files[ByteKey(path)] { return file }
        guard path.utf8.contains(UInt8(ascii: "%")), let decoded = Self.percentDecoded(path) else { return nil }
        return files[ByteKey(decoded)]
    }

    // MARK: Describing files

    /// Content types by the ending of a file's name, in lower case.
    // text: names of our own files, looked up once at the start.
    private static let contentTypes: [String: String] = [
        "html": "text/html; charset=utf-8", "htm": "text/html; charset=utf-8",
        "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8", "mjs": "text/javascript; charset=utf-8",
        "json": "application/json", "map": "application/json",
        "webmanifest": "application/manifest+json",
        "svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif",
        "webp": "image/webp", "ico": "image/x-icon",
        "woff2": "font/woff2",
        "txt": "text/plain; charset=utf-8", "md": "text/plain; charset=utf-8",
    ]

    private static func contentType(of path: String) -> String {
        let name = path.utf8.split(separator: UInt8(ascii: "/")).last ?? path.utf8[...]
        let ending = name.lastIndex(of: UInt8(ascii: ".")).map { String(Substring(name[name.index(after: $0)...])) }
        // text: a name of our own files.
        return ending.flatMap { contentTypes[$0.lowercased()] } ?? "application/octet-stream"
    }

    /// FNV-1a, 64 bits: enough to tell the versions of one file apart.
    private static func etag(of body: ByteBuffer) -> String {
        var digest: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in body.readableBytesView { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return "\"\(String(digest, radix: 16))-\(String(body.readableBytes, radix: 16))\""
    }

    /// `nil` when a decoded byte would be a separator, which earlier checks of the path have not seen as one.
    private static func percentDecoded(_ path: String) -> String? {
        guard let decoded = PercentEncoding.decode(path[...]) else { return nil }
        let isSeparator: (UInt8) -> Bool = { $0 == UInt8(ascii: "/") }
        return decoded.utf8.count(where: isSeparator) == path.utf8.count(where: isSeparator) ? decoded : nil
    }
}

extension StaticFiles.File {
    /// The file; 304 if the client has this version, 412 if it asked for another (RFC 9110 section 13.2.2).
    ///
    /// Files have no date here, so conditions on dates are ignored (sections 13.1.3 and 13.1.4).
    func response(to request: HTTPRequest) throws(GatewayError) -> HTTPResponse {
        if let isMatched = EntityTags.match(request.headers["if-match"], etag, by: .strong), !isMatched {
            throw GatewayError(412, "the file is another version")
        }
        // Kept by browsers, but asked for each time: a new version shows at once.
        var headers: HTTPFields = ["etag": etag, "cache-control": "no-cache"]
        headers.add(contentsOf: PagePolicy.headers)
        if EntityTags.match(request.headers["if-none-match"], etag, by: .weak) == true {
            return HTTPResponse(status: .notModified, headers: headers)
        }
        headers.add(name: "content-type", value: contentType)
        var response = HTTPResponse(status: .ok, headers: headers, body: body)
        response.isBodyShared = true
        return response
    }
}
