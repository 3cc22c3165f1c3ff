import HTTP
import NIOCore
import NIOEmbedded
import NIOHTTP1

/// Requests of two clients, each sent again and again on one connection. Each comes in a buffer of its own, as nearly
/// all do that a server reads from a socket.
///
/// The reference is NIO's parser, which is llhttp, in a channel that has no socket.
enum RequestHeads {
    /// The server's defaults.
    private static let headBytesMax = 16 * 1024
    private static let fieldsMax = 512

    private static let curlHead = """
        POST /rpc HTTP/1.1
        Host: localhost:8080
        User-Agent: curl/7.88.1
        Accept: */*
        Content-Type: application/json
        """

    private static let browserHead = """
        GET /services?sort=name HTTP/1.1
        Host: shippy.example
        Connection: keep-alive
        Cache-Control: max-age=0
        sec-ch-ua: "Chromium";v="130", "Not?A_Brand";v="99"
        sec-ch-ua-mobile: ?0
        sec-ch-ua-platform: "Linux"
        DNT: 1
        Upgrade-Insecure-Requests: 1
        User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36
        Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8
        Sec-Fetch-Site: same-origin
        Sec-Fetch-Mode: navigate
        Sec-Fetch-User: ?1
        Sec-Fetch-Dest: document
        Referer: http://shippy.example/vessels/vessel001
        Accept-Encoding: gzip, deflate, br, zstd
        Accept-Language: en-GB,en;q=0.9,de;q=0.8
        Cookie: session=0f8fad5bd9cb469fa16570867728950e; theme=dark; seen=1733011200
        If-None-Match: "5f3a-61c8b7d2"
        Priority: u=0, i
        """

    private static let body =
        #"{"service":"vessel","method":"VesselService.FindAvailable","request":{"capacity":3,"max_weight":55000}}"#

    static func curl() -> Comparison {
        comparison(
            "curl's POST, 5 fields and a body", head: curlHead + "\nContent-Length: \(body.utf8.count)", body: body)
    }

    static func browser() -> Comparison {
        comparison("a browser's GET, 20 fields", head: browserHead, body: "")
    }

    /// - Parameter head: its lines, without the empty one.
    private static func comparison(_ name: String, head: String, body: String) -> Comparison {
        let lines = head.split(separator: "\n").joined(separator: "\r\n")
        let request = ByteBuffer(string: lines + "\r\n\r\n" + body)
        return Comparison(
            name: name,
            ours: { try parse(request, times: $0) },
            reference: { try parseByReference(request, times: $0) })
    }

    private static func parse(_ request: ByteBuffer, times: Int) throws {
        var parser = HTTP1Parser(limits: .init(headBytesMax: headBytesMax, fieldsMax: fieldsMax))
        for _ in 0..<times {
            var input = request
            var isComplete = false
            while !isComplete {
                switch parser.next(&input) {
                case .head, .body: break
                case .end: isComplete = true
                case .needsBytes, .rejection: throw Failure("our parser does not accept the request")
                }
            }
        }
    }

    private static func parseByReference(_ request: ByteBuffer, times: Int) throws {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderListSize = headBytesMax
        limits.maxHeaderFieldSize = headBytesMax
        limits.maxHeaderFieldCount = fieldsMax
        let decoder = ByteToMessageHandler(HTTPRequestDecoder(limitConfiguration: limits))
        let counter = RequestCounter()
        let channel = EmbeddedChannel(handlers: [decoder, counter])
        for _ in 0..<times { try channel.writeInbound(request) }
        guard counter.requests == times else { throw Failure("NIO's parser does not accept the request") }
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }
}

/// Counts whole requests, and passes nothing on for the channel to keep.
private final class RequestCounter: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart

    private(set) var requests = 0

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .end = unwrapInboundIn(data) { requests += 1 }
    }
}
