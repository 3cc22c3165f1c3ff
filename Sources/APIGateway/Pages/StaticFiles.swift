import HTTP
import NIOCore
import NIOHTTP1
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
    /// Of the longest path in ``files``: a stranger's that is longer is none of them.
    private let pathBytesMax: Int

    /// - Parameter contents: by path below the folder, such as `js/app.js`.
    init(contents: [String: ByteBuffer]) {
        var files: [ByteKey: File] = [:]
        for (path, body) in contents {
            let file = File(
                body: body, contentType: Self.contentType(of: path), etag: Self.etag(of: body))
            files[ByteKey("/\(path)")] = file
            if path == "index.html" {
                files[ByteKey("/")] = file
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

    private static func contentType(of path: String) -> String {
        let name = path.split(separator: "/").last ?? ""
        guard let dot = name.lastIndex(of: ".") else { return "application/octet-stream" }
        return switch name[name.index(after: dot)...].lowercased() {
        case "html", "htm": "text/html; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "js", "mjs": "text/javascript; charset=utf-8"
        case "json", "map": "application/json"
        case "webmanifest": "application/manifest+json"
        case "svg": "image/svg+xml"
        case "png": "image/png"
        case "jpg", "jpeg": "image/jpeg"
        case "gif": "image/gif"
        case "webp": "image/webp"
        case "ico": "image/x-icon"
        case "woff2": "font/woff2"
        case "txt", "md": "text/plain; charset=utf-8"
        default: "application/octet-stream"
        }
    }

    /// FNV-1a, 64 bits: enough to tell the versions of one file apart.
    private static func etag(of body: ByteBuffer) -> String {
        var digest: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in body.readableBytesView { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return "\"\(String(digest, radix: 16))-\(String(body.readableBytes, radix: 16))\""
    }

    private static func percentDecoded(_ path: String) -> String? {
        var bytes: [UInt8] = []
        var rest = path.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(Substring(rest.prefix(2)), radix: 16) else { return nil }
            rest = rest.dropFirst(2)
            bytes.append(value)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

extension StaticFiles.File {
    /// The file, or 304 if the caller has this version (RFC 9110 section 13.1.2).
    func response(to request: HTTPRequest) -> HTTPResponse {
        // Kept by browsers, but asked for each time: a new version shows at once.
        var headers: HTTPHeaders = ["etag": etag, "cache-control": "no-cache"]
        headers.add(contentsOf: PagePolicy.headers)
        let known = request.headers[canonicalForm: "if-none-match"]
        if known.contains(where: { $0 == "*" || $0 == etag || $0 == "W/\(etag)" }) {
            return HTTPResponse(status: .notModified, headers: headers)
        }
        headers.add(name: "content-type", value: contentType)
        return HTTPResponse(status: .ok, headers: headers, body: body)
    }
}
