import CNGHTTP2

/// The pointers that nghttp2 is lent: fields, DATA and the table of callbacks.
extension HTTP2Session {
    static func provider(_ stream: HTTP2Stream) -> nghttp2_data_provider {
        var provider = nghttp2_data_provider()
        provider.source.ptr = Unmanaged.passUnretained(stream).toOpaque()
        provider.read_callback = { session, id, buffer, length, flags, source, _ in
            guard let buffer, let flags, let pointer = source?.pointee.ptr else {
                return ssize_t(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
            }
            let stream = Unmanaged<HTTP2Stream>.fromOpaque(pointer).takeUnretainedValue()
            let count = stream.takeOutgoing(buffer, length)
            if stream.unsentBytes == 0 {
                flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
                if stream.endsWithStatusOK {
                    flags.pointee |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
                    let fields = HTTP2Session.okTrailers.fields
                    nghttp2_submit_trailer(session, id, fields.baseAddress, fields.count)
                }
            }
            return count
        }
        return provider
    }

    /// Lends `list` as nghttp2's array of fields; nghttp2 copies it before the closure returns.
    static func withFields<R>(
        _ list: borrowing HeaderList, _ body: (UnsafeMutableBufferPointer<nghttp2_nv>) -> R
    ) -> R {
        list.bytes.withUnsafeBufferPointer { bytes in
            // nghttp2 takes mutable pointers and does not write through them (nghttp2.h, `nghttp2_nv`).
            let start = UnsafeMutablePointer(mutating: bytes.baseAddress)
            return withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: list.fields.count) { fields in
                for (index, field) in list.fields.enumerated() {
                    let flags = field.neverIndexed ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE
                    fields.initializeElement(
                        at: index,
                        to: nghttp2_nv(
                            name: start.map { $0 + field.nameStart }, value: start.map { $0 + field.valueStart },
                            namelen: field.nameLength, valuelen: field.valueLength, flags: UInt8(flags.rawValue)))
                }
                return body(fields)
            }
        }
    }

    /// The header fields of a good answer, made once.
    ///
    /// `@unchecked Sendable`: written by `init` only and never freed, and what it points to are static strings; nghttp2 takes
    /// the fields as `const`. So every loop may read them.
    struct StaticFields: @unchecked Sendable {
        let fields: UnsafeMutableBufferPointer<nghttp2_nv>

        init(_ pairs: [(StaticString, StaticString)]) {
            fields = .allocate(capacity: pairs.count)
            for (index, (name, value)) in pairs.enumerated() {
                let flags = NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue | NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue
                fields.initializeElement(
                    at: index,
                    to: nghttp2_nv(
                        name: UnsafeMutablePointer(mutating: name.utf8Start),
                        value: UnsafeMutablePointer(mutating: value.utf8Start),
                        namelen: name.utf8CodeUnitCount, valuelen: value.utf8CodeUnitCount, flags: UInt8(flags)))
            }
        }
    }

    static let okHeaders = StaticFields([(":status", "200"), ("content-type", "application/grpc")])
    static let continueHeaders = StaticFields([(":status", "100")])
    static let okTrailers = StaticFields([("grpc-status", "0")])

    /// nghttp2's table of callbacks.
    ///
    /// `@unchecked Sendable`: written by `init` only and never freed; a new session copies it. So every loop may read it.
    struct Callbacks: @unchecked Sendable {
        let pointer: OpaquePointer?

        init() {
            var table: OpaquePointer?
            nghttp2_session_callbacks_new(&table)
            pointer = table
            nghttp2_session_callbacks_set_on_begin_headers_callback(table) { _, frame, user in
                guard let frame, let user else { return 0 }
                // A push may arrive before the peer has seen that we disabled pushes; its stream is reset. The promise
                // arrives on the stream of a call, but is no part of its answer.
                guard UInt32(frame.pointee.hd.type) == NGHTTP2_HEADERS.rawValue else {
                    return Int32(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
                }
                return owner(user).beginHeaders(frame.pointee.headers)
            }
            nghttp2_session_callbacks_set_on_header_callback(table) {
                _, frame, name, nameLength, value, valueLength, _, user in
                guard let frame, let user else { return 0 }
                return Unmanaged<HTTP2Session>.fromOpaque(user)._withUnsafeGuaranteedRef {
                    $0.header(
                        frame.pointee.hd.stream_id, UnsafeRawBufferPointer(start: name, count: nameLength),
                        UnsafeRawBufferPointer(start: value, count: valueLength))
                }
            }
            nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table) { _, _, id, data, length, user in
                guard let user else { return 0 }
                owner(user).data(id, UnsafeRawBufferPointer(start: data, count: length))
                return 0
            }
            nghttp2_session_callbacks_set_on_frame_recv_callback(table) { _, frame, user in
                guard let frame, let user else { return 0 }
                owner(user).frame(frame)
                return 0
            }
            nghttp2_session_callbacks_set_on_frame_not_send_callback(table) { _, frame, _, user in
                guard let frame, let user else { return 0 }
                owner(user).notSent(frame)
                return 0
            }
            nghttp2_session_callbacks_set_on_stream_close_callback(table) { _, id, code, user in
                guard let user else { return 0 }
                owner(user).closed(id, code)
                return 0
            }
        }
    }

    static let callbacks = Callbacks()
}

private func owner(_ user: UnsafeMutableRawPointer) -> HTTP2Session {
    Unmanaged<HTTP2Session>.fromOpaque(user).takeUnretainedValue()
}
