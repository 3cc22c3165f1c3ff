import NIOCore
import RPC

/// Reads HTTP/1 requests (RFC 9112) from bytes as they arrive. It does no I/O and keeps no bytes.
///
/// It accepts only what every server reads in the same way: a request that could be read in two ways may have been
/// checked by a proxy that read the other (section 11.2). However the bytes are cut into pieces, it finds the same
/// requests, and it looks for the end of each line only once.
package struct HTTP1Parser {
    package enum Event: Sendable {
        /// Nothing more until further bytes have arrived.
        case needsBytes
        /// The head of a valid request. The parts of its body follow, then `end`.
        case head(RequestDraft)
        /// Part of a body: a slice of the input.
        case body(ByteBuffer)
        case end
        /// What arrived is no request, or is too large. The same again from now on.
        case rejection(HTTPRejection)
    }

    package struct Limits: Sendable {
        /// Bytes of a request line and header section, with chunk extensions and trailers.
        var headBytesMax: Int
        /// Fields in a header section, with trailers.
        var fieldsMax: Int

        package init(headBytesMax: Int, fieldsMax: Int) {
            self.headBytesMax = headBytesMax
            self.fieldsMax = fieldsMax
        }
    }

    private enum State {
        /// -> `fields`
        case requestLine
        /// -> `body`, `chunkSize` or `end`
        case fields
        /// -> `end`
        case body(bytesLeft: Int)
        /// -> `chunk` or `trailers`
        case chunkSize
        /// -> `chunkEnd`
        case chunk(bytesLeft: Int)
        /// -> `chunkSize`
        case chunkEnd
        /// -> `end`
        case trailers
        /// -> `requestLine`
        case end
        /// Final.
        case rejected(HTTPRejection)
    }

    private let limits: Limits
    private var state = State.requestLine
    private var head = HTTP1Head()
    /// Where the line begins that is being read, in the input.
    private var lineStart = 0
    /// How far its end has been looked for.
    private var scanned = 0
    /// Bytes and fields of this request that count towards the limits.
    private var headBytes = 0
    private var fieldCount = 0
    /// Whether the request that is being read, or was rejected, begins with `HEAD`.
    private(set) var isReadingHEAD = false

    package init(limits: Limits) {
        self.limits = limits
    }

    /// Whether the input ends within a request.
    ///
    /// - Parameter input: what ``next(_:)`` has left of it.
    func isWithinRequest(_ input: ByteBuffer) -> Bool {
        switch state {
        // A CR alone can only become an empty line, which begins no request.
        case .requestLine:
            input.readableBytes > 1
                || input.readableBytes == 1
                    && input.getInteger(at: input.readerIndex, as: UInt8.self) != UInt8(ascii: "\r")
        case .fields, .body, .chunkSize, .chunk, .chunkEnd, .trailers, .end: true
        case .rejected: false
        }
    }

    /// The next event in the input.
    ///
    /// - Parameter input: what was received and not taken yet. Taken bytes are removed; the others must be there in the
    ///   next call, with further ones behind them.
    package mutating func next(_ input: inout ByteBuffer) -> Event {
        do throws(HTTPRejection) {
            return try read(&input)
        } catch {
            state = .rejected(error)
            return .rejection(error)
        }
    }

    private mutating func read(_ input: inout ByteBuffer) throws(HTTPRejection) -> Event {
        while true {
            switch state {
            case .requestLine, .fields:
                return try readHead(&input)
            case .body(let bytesLeft):
                guard let part = Self.take(bytesLeft, from: &input) else { return .needsBytes }
                let rest = bytesLeft - part.readableBytes
                state = rest == 0 ? .end : .body(bytesLeft: rest)
                return .body(part)
            case .chunkSize:
                guard let size = try readChunkSize(&input) else { return .needsBytes }
                state = size == 0 ? .trailers : .chunk(bytesLeft: size)
            case .chunk(let bytesLeft):
                guard let part = Self.take(bytesLeft, from: &input) else { return .needsBytes }
                let rest = bytesLeft - part.readableBytes
                state = rest == 0 ? .chunkEnd : .chunk(bytesLeft: rest)
                return .body(part)
            case .chunkEnd:
                guard try readChunkEnd(&input) else { return .needsBytes }
                state = .chunkSize
            case .trailers:
                guard try readTrailers(&input) else { return .needsBytes }
                state = .end
            case .end:
                state = .requestLine
                (headBytes, fieldCount) = (0, 0)
                return .end
            case .rejected(let rejection):
                return .rejection(rejection)
            }
        }
    }

    private static func take(_ bytesMax: Int, from input: inout ByteBuffer) -> ByteBuffer? {
        let count = min(bytesMax, input.readableBytes)
        return count == 0 ? nil : input.readSlice(length: count)
    }

    // MARK: Lines

    /// The next line, without its CRLF; `nil` until all of it is there. A LF alone ends no line (RFC 9112 section 2.2
    /// lets a recipient accept it; proxies that do not would read another request).
    private mutating func nextLine(_ bytes: UnsafeRawBufferPointer) throws(HTTPRejection) -> Range<Int>? {
        scanned = bytes.index(of: UInt8(ascii: "\n"), from: scanned)
        // A chunk's size and the line's end do not count towards the limit. `count` is exact, once the line is there.
        guard headBytes + scanned - lineStart <= limits.headBytesMax + Self.freeChunkDigits + 1 else {
            throw .headersTooLarge
        }
        guard scanned < bytes.count else { return nil }
        guard scanned > lineStart, bytes[scanned - 1] == UInt8(ascii: "\r") else { throw .malformed }
        let line = lineStart..<(scanned - 1)
        endLine(at: line.upperBound)
        return line
    }

    /// The next line begins behind the CRLF at `end`.
    private mutating func endLine(at end: Int) {
        scanned = end + 2
        lineStart = scanned
    }

    /// Removes the lines that were read.
    private mutating func takeLines(from input: inout ByteBuffer) {
        input.moveReaderIndex(forwardBy: lineStart)
        scanned -= lineStart
        lineStart = 0
    }

    private mutating func count(bytes: Int, fields: Int = 0) throws(HTTPRejection) {
        headBytes += bytes
        fieldCount += fields
        guard headBytes <= limits.headBytesMax, fieldCount <= limits.fieldsMax else { throw .headersTooLarge }
    }

    // MARK: Head

    /// Reads the lines of a head that have arrived. They stay in the input until all are there, so that the request's
    /// fields are a slice of it.
    private mutating func readHead(_ input: inout ByteBuffer) throws(HTTPRejection) -> Event {
        if case .requestLine = state { skipEmptyLines(&input) }
        let isComplete = try input.withUnsafeReadableBytes { bytes throws(HTTPRejection) in try readHeadLines(bytes) }
        guard isComplete else { return .needsBytes }
        let event = Event.head(try head.draft(from: input, length: lineStart))
        takeLines(from: &input)
        switch head.body {
        case .empty: state = .end
        case .length(let count): state = .body(bytesLeft: count)
        case .chunked: state = .chunkSize
        }
        return event
    }

    private mutating func readHeadLines(_ bytes: UnsafeRawBufferPointer) throws(HTTPRejection) -> Bool {
        if case .requestLine = state {
            // Known before the line is read: a rejection of HEAD has no content (RFC 9110 section 9.3.2).
            isReadingHEAD = bytes.count >= 5 && UnsafeRawBufferPointer(rebasing: bytes[0..<5]).equals("HEAD ")
            // What is no HTTP at all may never end a line.
            if let first = bytes.first, !first.isTokenByte, first != UInt8(ascii: "\r") || bytes.count > 1 {
                throw .malformed
            }
            guard let line = try nextLine(bytes) else { return false }
            head = HTTP1Head()
            try count(bytes: line.count + 2)
            try head.readRequestLine(bytes, line)
            state = .fields
        }
        while true {
            // Most lines are whole and valid, and are then looked at only once. All others, and those whose first part
            // was there before, are first looked through for their end: it decides which rejection they get.
            let start = lineStart
            if scanned == start, let field = bytes.fieldLine(at: start) {
                endLine(at: field.end)
                try count(bytes: lineStart - start, fields: 1)
                try head.readField(bytes, start, field)
                continue
            }
            guard let line = try nextLine(bytes) else { return false }
            try count(bytes: line.count + 2, fields: line.isEmpty ? 0 : 1)
            if line.isEmpty { return true }
            try head.readField(bytes, line.lowerBound, HTTP1Head.check(bytes, line))
        }
    }

    /// Empty lines before a request are ignored (RFC 9112 section 2.2).
    private mutating func skipEmptyLines(_ input: inout ByteBuffer) {
        while input.getInteger(at: input.readerIndex, as: UInt16.self) == 0x0d0a {
            input.moveReaderIndex(forwardBy: 2)
            scanned = 0
        }
    }

    // MARK: Chunks

    /// Reads a chunk's size and its extensions, which are ignored (RFC 9112 section 7.1.1).
    private mutating func readChunkSize(_ input: inout ByteBuffer) throws(HTTPRejection) -> Int? {
        let size = try input.withUnsafeReadableBytes { bytes throws(HTTPRejection) -> Int? in
            guard let line = try nextLine(bytes) else { return nil }
            var at = line.lowerBound
            var size = 0
            while at < line.upperBound, let digit = Hexadecimal.value(of: bytes[at]) {
                // A number that would overflow stays the largest (RFC 9112 section 7.1).
                size = size > Int.max >> 4 ? Int.max : size << 4 | Int(digit)
                at += 1
            }
            let digits = at - line.lowerBound
            guard digits > 0 else { throw .malformed }
            guard UnsafeRawBufferPointer(rebasing: bytes[at..<line.upperBound]).isChunkExtensions else {
                throw .malformed
            }
            try count(bytes: line.upperBound - at + max(0, digits - Self.freeChunkDigits))
            guard size < Int.max else { throw .bodyTooLarge }
            return size
        }
        if size != nil { takeLines(from: &input) }
        return size
    }

    /// Digits of a chunk's size that do not count towards the limit: as many as 64 bits need. Further ones can only be
    /// leading zeros, or of a chunk that is too large.
    private static let freeChunkDigits = 16

    private func readChunkEnd(_ input: inout ByteBuffer) throws(HTTPRejection) -> Bool {
        if let first = input.getInteger(at: input.readerIndex, as: UInt8.self), first != UInt8(ascii: "\r") {
            throw .malformed
        }
        guard let end = input.readInteger(as: UInt16.self) else { return false }
        guard end == 0x0d0a else { throw .malformed }
        return true
    }

    /// Reads trailers, which are ignored: merged into the header they could change what was checked (RFC 9110 section
    /// 6.5.1).
    private mutating func readTrailers(_ input: inout ByteBuffer) throws(HTTPRejection) -> Bool {
        let isComplete = try input.withUnsafeReadableBytes { bytes throws(HTTPRejection) -> Bool in
            while let line = try nextLine(bytes) {
                if line.isEmpty { return true }
                try count(bytes: line.count + 2, fields: 1)
                try HTTP1Head.checkTrailer(bytes, line)
            }
            return false
        }
        takeLines(from: &input)
        return isComplete
    }
}
