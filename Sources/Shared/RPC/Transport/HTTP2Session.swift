import CNGHTTP2
import NIOCore

/// Owns one `nghttp2_session`: framing, HPACK, flow control and the states of streams. No I/O and no thread of its own.
///
/// This file and `HTTP2Session+Callbacks.swift` are the only ones that hold nghttp2's pointers. They stay valid because the session owns every stream object for as
/// long as nghttp2 knows the stream (nghttp2's stream user data points to it, unretained), and because nghttp2 calls
/// back only inside ``receive(_:)``, ``drain(into:bytesMax:)`` and the submit methods, all on one event loop.
/// Source: nghttp2.h of nghttp2 1.52.
package final class HTTP2Session {
    package enum Role { case server, client }

    /// What we tell the peer, and what we allow it.
    package struct Settings {
        package var concurrentStreamsMax: UInt32 = 256
        package var headerListBytesMax: UInt32 = 16 * 1024
        /// Bytes the peer may send on the whole connection before we take them.
        package var connectionWindowBytes: Int32 = 1024 * 1024
        /// Streams that a peer may reset at once, and for each second after that (CVE-2023-44487, "rapid reset").
        package var resetBurst: UInt64 = 1_000
        package var resetsPerSecond: UInt64 = 100
        package init() {}
    }

    /// Answers to pings and settings that may wait for a peer that does not read; more is a flood.
    private static let outboundAcknowledgementsMax = 256
    /// CONTINUATION frames allowed in one header section; more end the connection (CVE-2024-28182).
    private static let continuationsMax = 8
    /// Decoded header bytes of a connection beyond the limits of their sections; more end the connection. A byte of
    /// HPACK can stand for 4 KiB, so an oversized section must not be decoded to its end.
    static let excessHeaderBytesMax = 256 * 1024
    /// Bytes that a field counts in addition to its name and value (RFC 9113 section 6.5.2).
    package static let fieldOverheadBytes = 32

    private let session: OpaquePointer
    /// Unsafe, as a counted reference would cost two atomic operations for each header field: the connection owns the
    /// session, and nghttp2 calls back only while the connection is in one of the session's methods.
    private unowned(unsafe) let delegate: any HTTP2SessionDelegate
    /// Every stream that nghttp2 knows.
    package private(set) var streams: [HTTP2Stream] = []
    /// Reused by each submit.
    var headers = HeaderList()
    private let headerListBytesMax: Int
    /// Decoded bytes of the current header section.
    private var sectionBytes = 0
    /// Decoded bytes beyond the limit, of all sections so far.
    private var excessHeaderBytes = 0

    package init(_ role: Role, _ settings: Settings, delegate: any HTTP2SessionDelegate) throws(HTTP2SessionError) {
        self.delegate = delegate
        headerListBytesMax = Int(settings.headerListBytesMax)
        var option: OpaquePointer?
        guard nghttp2_option_new(&option) == 0 else { throw .outOfMemory }
        defer { nghttp2_option_del(option) }
        nghttp2_option_set_max_outbound_ack(option, Self.outboundAcknowledgementsMax)
        nghttp2_option_set_stream_reset_rate_limit(option, settings.resetBurst, settings.resetsPerSecond)
        nghttp2_option_set_no_closed_streams(option, 1)
        nghttp2_option_set_max_continuations(option, Self.continuationsMax)
        if role == .client { nghttp2_option_set_peer_max_concurrent_streams(option, 100) }

        var created: OpaquePointer?
        let code =
            role == .server
            ? nghttp2_session_server_new2(&created, Self.callbacks.pointer, nil, option)
            : nghttp2_session_client_new2(&created, Self.callbacks.pointer, nil, option)
        guard code == 0, let created else { throw .outOfMemory }
        session = created
        nghttp2_session_set_user_data(session, Unmanaged.passUnretained(self).toOpaque())

        var entries = [
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue), value: settings.headerListBytesMax),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue),
                value: settings.concurrentStreamsMax),
        ]
        if role == .client {
            entries.append(
                nghttp2_settings_entry(settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue), value: 0))
        }
        nghttp2_submit_settings(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), entries, entries.count)
        nghttp2_session_set_local_window_size(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, settings.connectionWindowBytes)
    }

    deinit {
        nghttp2_session_del(session)
    }

    // MARK: Bytes in and out

    /// Takes bytes from the peer; calls the delegate for what they mean.
    package func receive(_ bytes: UnsafeRawBufferPointer) throws(HTTP2SessionError) {
        guard let start = bytes.bindMemory(to: UInt8.self).baseAddress else { return }
        let taken = nghttp2_session_mem_recv(session, start, bytes.count)
        guard taken < 0 else { return }
        switch Int32(taken) {
        case Int32(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue) where excessHeaderBytes > Self.excessHeaderBytesMax:
            throw .headersTooLarge
        case Int32(NGHTTP2_ERR_BAD_CLIENT_MAGIC.rawValue): throw .notHTTP2
        case Int32(NGHTTP2_ERR_FLOODED.rawValue): throw .flooded
        case Int32(NGHTTP2_ERR_NOMEM.rawValue): throw .outOfMemory
        default: throw .fatal(Int32(taken))
        }
    }

    /// Writes what nghttp2 has to say to `buffer`, until it holds `bytesMax` or more. True when there may be more.
    package func drain(into buffer: inout ByteBuffer, bytesMax: Int) throws(HTTP2SessionError) -> Bool {
        while buffer.readableBytes < bytesMax {
            var start: UnsafePointer<UInt8>?
            let count = nghttp2_session_mem_send(session, &start)
            if count == 0 { return false }
            guard count > 0 else { throw .fatal(Int32(count)) }
            buffer.writeBytes(UnsafeRawBufferPointer(start: start, count: count))
        }
        return true
    }

    package var wantsWrite: Bool { nghttp2_session_want_write(session) != 0 }

    /// Neither side has anything to say any more: close the connection.
    package var isFinished: Bool {
        nghttp2_session_want_read(session) == 0 && nghttp2_session_want_write(session) == 0
    }

    // MARK: Frames

    /// Opens a stream with `fill`'s header fields, and `body` as its DATA. False when nghttp2 refuses (ids used up).
    package func submitRequest(
        _ stream: HTTP2Stream, body: [UInt8], _ fill: (inout HeaderList) -> Void
    ) -> Bool {
        headers.removeAll()
        fill(&headers)
        stream.setOutgoing(.array(body), count: body.count)
        var provider = Self.provider(stream)
        let id = Self.withFields(headers) { fields in
            nghttp2_submit_request(
                session, nil, fields.baseAddress, fields.count, &provider, Unmanaged.passUnretained(stream).toOpaque())
        }
        guard id > 0 else { return false }
        adopt(stream, id: id)
        return true
    }

    /// `:status: 200`, one message, `grpc-status: 0`.
    package func submitOK(_ stream: HTTP2Stream, message: [UInt8]) {
        stream.setOutgoing(.array(message), count: message.count)
        stream.endsWithStatusOK = true
        var provider = Self.provider(stream)
        let fields = Self.okHeaders.fields
        nghttp2_submit_response(session, stream.id, fields.baseAddress, fields.count, &provider)
    }

    /// Submits header fields and a body, which ends the stream. Plain HTTP, without trailers. The body is not copied.
    package func submitResponse(_ stream: HTTP2Stream, body: ByteBuffer, _ fill: (inout HeaderList) -> Void) {
        headers.removeAll()
        fill(&headers)
        stream.setOutgoing(.buffer(body), count: body.readableBytes)
        var provider = Self.provider(stream)
        _ = Self.withFields(headers) {
            nghttp2_submit_response(session, stream.id, $0.baseAddress, $0.count, &provider)
        }
    }

    /// A response of header fields alone, which ends the stream.
    package func submitHeadersOnly(_ stream: HTTP2Stream, _ fill: (inout HeaderList) -> Void) {
        headers.removeAll()
        fill(&headers)
        _ = Self.withFields(headers) {
            nghttp2_submit_response(session, stream.id, $0.baseAddress, $0.count, nil)
        }
    }

    /// Submits 100 (Continue), for which a peer may wait before it sends its body (RFC 9110 section 10.1.1).
    package func submitContinue(_ stream: HTTP2Stream) {
        let fields = Self.continueHeaders.fields
        nghttp2_submit_headers(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, nil, fields.baseAddress, fields.count, nil)
    }

    package func submitReset(_ stream: HTTP2Stream, _ code: HTTP2ErrorCode) {
        nghttp2_submit_rst_stream(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, code.rawValue)
    }

    /// - Parameter payload: returned with the acknowledgement.
    package func submitPing(payload: UInt64 = 0) {
        withUnsafeBytes(of: payload) { bytes in
            _ = nghttp2_submit_ping(
                session, UInt8(NGHTTP2_FLAG_NONE.rawValue), bytes.bindMemory(to: UInt8.self).baseAddress)
        }
    }

    /// Announces that a GOAWAY will follow, so that requests on their way are still taken (RFC 9113 section 6.8).
    package func submitShutdownNotice() {
        nghttp2_submit_shutdown_notice(session)
    }

    /// GOAWAY: streams after the last one that we have seen are not processed.
    package func submitGoAway(_ code: HTTP2ErrorCode) {
        nghttp2_submit_goaway(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nghttp2_session_get_last_proc_stream_id(session),
            code.rawValue, nil, 0)
    }

    /// Streams that the peer lets us have open at a time.
    package var peerConcurrentStreamsMax: Int {
        Int(nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS))
    }

    /// False once a GOAWAY came or went.
    package var canOpenStreams: Bool {
        nghttp2_session_check_request_allowed(session) != 0
    }

    /// Whether the peer has closed this stream's window, or nearly. Otherwise unsent bytes wait for their turn on the
    /// connection.
    package func isBlocked(_ stream: HTTP2Stream) -> Bool {
        nghttp2_session_get_stream_remote_window_size(session, stream.id) < Self.openWindowBytes
    }

    private static let openWindowBytes: Int32 = 16 * 1024

    // MARK: Streams

    private func adopt(_ stream: HTTP2Stream, id: Int32) {
        stream.id = id
        stream.isOpen = true
        stream.slot = streams.count
        streams.append(stream)
    }

    private func forget(_ stream: HTTP2Stream) {
        let last = streams.removeLast()
        if last !== stream {
            streams[stream.slot] = last
            last.slot = stream.slot
        }
        stream.isOpen = false
        stream.slot = -1
    }

    /// Marks requests that are not written yet: nghttp2 opens a stream when it writes its HEADERS.
    func markUnsentRequests() {
        for stream in streams where nghttp2_session_find_stream(session, stream.id) == nil {
            stream.wasNeverSent = true
        }
    }

    private func stream(_ id: Int32) -> HTTP2Stream? {
        guard let pointer = nghttp2_session_get_stream_user_data(session, id) else { return nil }
        return Unmanaged<HTTP2Stream>.fromOpaque(pointer).takeUnretainedValue()
    }

    // MARK: What nghttp2 calls

    func beginHeaders(_ frame: nghttp2_headers) -> Int32 {
        sectionBytes = 0
        guard frame.cat == NGHTTP2_HCAT_REQUEST else { return 0 }
        guard let stream = delegate.sessionOpensStream() else {
            nghttp2_submit_rst_stream(
                session, UInt8(NGHTTP2_FLAG_NONE.rawValue), frame.hd.stream_id, HTTP2ErrorCode.refusedStream.rawValue)
            return 0
        }
        nghttp2_session_set_stream_user_data(
            session, frame.hd.stream_id, Unmanaged.passUnretained(stream).toOpaque())
        adopt(stream, id: frame.hd.stream_id)
        return 0
    }

    /// Reads a header field. Fails when the peer makes us decode too much for nothing, which ends the connection.
    func header(_ id: Int32, _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Int32 {
        let fieldBytes = name.count + value.count + Self.fieldOverheadBytes
        sectionBytes += fieldBytes
        if sectionBytes > headerListBytesMax {
            excessHeaderBytes += min(fieldBytes, sectionBytes - headerListBytesMax)
            if excessHeaderBytes > Self.excessHeaderBytesMax {
                nghttp2_session_terminate_session(session, HTTP2ErrorCode.enhanceYourCalm.rawValue)
                return Int32(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
            }
        }
        // A refused stream has no object; its fields are counted above.
        if let stream = stream(id) { delegate.session(received: name, value, on: stream) }
        return 0
    }

    func data(_ id: Int32, _ bytes: UnsafeRawBufferPointer) {
        guard let stream = stream(id) else { return }
        delegate.session(received: bytes, on: stream)
    }

    func frame(_ frame: UnsafePointer<nghttp2_frame>) {
        let head = frame.pointee.hd
        switch UInt32(head.type) {
        case NGHTTP2_HEADERS.rawValue, NGHTTP2_DATA.rawValue:
            guard let stream = stream(head.stream_id) else { return }
            let isEnd = UInt32(head.flags) & NGHTTP2_FLAG_END_STREAM.rawValue != 0
            if isEnd { stream.hasPeerEnded = true }
            if UInt32(head.type) == NGHTTP2_HEADERS.rawValue { delegate.sessionReceivedHeaders(on: stream) }
            if isEnd { delegate.sessionReceivedEnd(on: stream) }
        case NGHTTP2_SETTINGS.rawValue:
            if UInt32(head.flags) & NGHTTP2_FLAG_ACK.rawValue == 0 { delegate.session(received: .settings) }
        case NGHTTP2_PING.rawValue:
            guard UInt32(head.flags) & NGHTTP2_FLAG_ACK.rawValue != 0 else { return }
            let payload = withUnsafeBytes(of: frame.pointee.ping.opaque_data) { $0.loadUnaligned(as: UInt64.self) }
            delegate.session(received: .pingAcknowledged(payload: payload))
        case NGHTTP2_GOAWAY.rawValue:
            delegate.session(received: .goAway(HTTP2ErrorCode(rawValue: frame.pointee.goaway.error_code)))
        case NGHTTP2_RST_STREAM.rawValue:
            delegate.session(received: .reset)
        default: break
        }
    }

    func notSent(_ frame: UnsafePointer<nghttp2_frame>) {
        guard UInt32(frame.pointee.hd.type) == NGHTTP2_HEADERS.rawValue else { return }
        stream(frame.pointee.hd.stream_id)?.wasNeverSent = true
    }

    func closed(_ id: Int32, _ code: UInt32) {
        guard let stream = stream(id) else { return }
        forget(stream)
        delegate.session(closed: stream, HTTP2ErrorCode(rawValue: code))
    }
}
