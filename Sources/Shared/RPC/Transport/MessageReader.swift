/// Puts one length-prefixed message together from pieces. A state machine without I/O.
///
/// Unary calls carry exactly one message each way.
/// Source: gRPC over HTTP/2, "Length-Prefixed-Message".
struct MessageReader {
    enum Failure: Error, Equatable {
        /// The prefix says that the message is compressed.
        case compressed
        case tooLarge(bytes: Int)
        /// Bytes came after the first message.
        case moreThanOne
        case malformedPrefix
    }

    private enum State {
        /// Waits for the 5 bytes of the prefix; those that have come are in `message`.
        case prefix
        /// Waits until `message` holds so many bytes. Then: `complete`.
        case body(length: Int)
        case complete
    }

    private var state = State.prefix
    /// The message without its prefix, once complete.
    private(set) var message: [UInt8] = []

    /// Memory of the message so far, in bytes.
    var heldBytes: Int { message.capacity }

    var isComplete: Bool {
        if case .complete = state { true } else { false }
    }

    var isEmpty: Bool {
        if case .prefix = state { message.isEmpty } else { false }
    }

    mutating func append(_ piece: UnsafeRawBufferPointer, bytesMax: Int) throws(Failure) {
        var piece = piece[...]
        while !piece.isEmpty {
            switch state {
            case .prefix:
                let missing = FramedMessage.prefixLength - message.count
                if message.isEmpty, piece.count >= missing {
                    // The whole prefix in one piece, as nearly always: no detour through `message`.
                    try begin(UnsafeRawBufferPointer(rebasing: piece).prefixFields, bytesMax: bytesMax)
                } else {
                    message.append(contentsOf: piece.prefix(missing))
                    if message.count == FramedMessage.prefixLength {
                        let fields = message.withUnsafeBytes { $0.prefixFields }
                        message = []
                        try begin(fields, bytesMax: bytesMax)
                    }
                }
                piece = piece.dropFirst(missing)
            case .body(let length):
                let missing = length - message.count
                grow(by: min(missing, piece.count), length: length)
                message.append(contentsOf: piece.prefix(missing))
                piece = piece.dropFirst(missing)
                if message.count == length { state = .complete }
            case .complete:
                throw .moreThanOne
            }
        }
    }

    private mutating func begin(_ prefix: (flag: UInt8, length: Int), bytesMax: Int) throws(Failure) {
        if prefix.flag == 1 { throw .compressed }
        guard prefix.flag == 0 else { throw .malformedPrefix }
        let length = prefix.length
        guard length <= bytesMax else { throw .tooLarge(bytes: length) }
        // A peer that announces 4 MiB and sends nothing costs no memory: the array grows with what comes.
        message.reserveCapacity(min(length, 16 * 1024))
        state = length == 0 ? .complete : .body(length: length)
    }

    /// Doubles the capacity, up to the announced length.
    private mutating func grow(by count: Int, length: Int) {
        let needed = message.count + count
        if needed > message.capacity { message.reserveCapacity(min(length, max(needed, 2 * message.capacity))) }
    }

    mutating func take() -> [UInt8] {
        let taken = message
        message = []
        return taken
    }
}

extension UnsafeRawBufferPointer {
    /// The two fields of a prefix; the caller knows that there are 5 bytes.
    fileprivate var prefixFields: (flag: UInt8, length: Int) {
        (self[0], Int(UInt32(bigEndian: loadUnaligned(fromByteOffset: 1, as: UInt32.self))))
    }
}
