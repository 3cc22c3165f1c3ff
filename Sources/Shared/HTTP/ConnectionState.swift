import NIOCore

/// One HTTP/1.1 connection as a state machine: what has been received, whose turn it is, and when it is over.
///
/// It knows no socket, clock or task; ``HTTPServerConnection`` feeds it events and does what ``next()`` says. Answers
/// go out in the order of their requests because only one is worked on at a time (RFC 9112 section 9.3.2).
struct ConnectionState {
    /// What comes from the peer.
    enum Input {
        /// Between requests. May become any other.
        case open
        /// Bytes came that are no complete head yet. Becomes `receiving`, `ended` or `ignored`.
        case started
        /// A head came, its body is coming. Becomes `open` at its end, or `ended` or `ignored`.
        case receiving(RequestDraft)
        /// The peer has closed its sending side. Final.
        case ended
        /// Nothing more is accepted, though more may come: a rejection, or the last request of the connection. Becomes
        /// `ended`.
        case ignored
    }

    /// What waits for its answer.
    enum Turn {
        case request(HTTPRequest, isPersistent: Bool, isHTTP10: Bool)
        case rejection(HTTPRejection, toHead: Bool)

        /// Whether the answer has no content (RFC 9110 section 9.3.2).
        var isToHead: Bool {
            switch self {
            case .request(let request, _, _): request.method == .HEAD
            case .rejection(_, let toHead): toHead
            }
        }
    }

    /// What the connection is to do now.
    enum Step {
        /// Nothing, until an event.
        case wait
        /// Tell the peer to send its body (RFC 9110 section 10.1.1).
        case sendContinue
        /// Run the responder, then say ``answered()``.
        case answer(HTTPRequest, isHTTP10: Bool)
        /// Write the rejection, without its content to HEAD, then say ``answered()``.
        case reject(HTTPRejection, toHead: Bool)
        /// All is said. Close gracefully: the sending side first, the rest when the peer has closed or time is up.
        case finish
        /// Nobody is there, or nothing was ever begun: close at once.
        case close
    }

    private(set) var input = Input.open
    private var turns = CircularBuffer<Turn>(initialCapacity: 2)
    private(set) var isAnswering = false
    private(set) var isDraining = false
    /// Whether a drained connection no longer waits for its next request.
    private var endsIdle = false
    private(set) var isFinished = false
    /// Whether the answer being worked on is the last by the peer's wish.
    private var isLastAnswer = false
    /// Counts requests and answers, so that a timer can tell a stalled connection from a busy one. The head of a
    /// request does not count: head and body share one timeout.
    private(set) var progress = 0

    let bodyBytesMax: Int
    let turnsMax: Int

    /// Bytes counted for a partial head: the parser may buffer as much before it reports the head.
    private static let partialHeadBytes = 16 * 1024
    /// Bytes counted for a request in addition to its target, header lines and body.
    private static let requestBytes = 1024
    /// Size up to which heads are slices of one read buffer, which they share.
    private static let sharedHeadBytesMax = 4 * 1024
    /// Memory of what was read and is not parsed yet, in bytes.
    var unparsedBytes = 0
    private var draftBytes = 0
    private var turnBytes = 0
    private var answeringBytes = 0

    /// Memory that unanswered requests take, in bytes.
    var heldBytes: Int {
        let unparsed = if case .started = input { max(unparsedBytes, Self.partialHeadBytes) } else { unparsedBytes }
        return unparsed + draftBytes + turnBytes + answeringBytes
    }

    /// Memory of a request, in bytes: the buffers of its header lines and body, not only what is used of them.
    private static func bytes(of request: HTTPRequest) -> Int {
        let lines = request.headers.lines
        let lineBytes = lines.storageCapacity > sharedHeadBytesMax ? lines.storageCapacity : lines.readableBytes
        // A slice keeps the whole buffer that it was read into.
        let bodyBytes = request.body.readableBytes > 0 ? request.body.storageCapacity : 0
        return requestBytes + request.path.utf8.count + (request.query?.utf8.count ?? 0) + lineBytes + bodyBytes
    }

    init(bodyBytesMax: Int, turnsMax: Int) {
        self.bodyBytesMax = bodyBytesMax
        self.turnsMax = turnsMax
    }

    /// Whether more requests should be read from the socket. A request in progress does not stop it, a queue does.
    var wantsInput: Bool { turns.isEmpty }

    /// Whether nothing is received, waiting or being answered.
    var isIdle: Bool {
        guard case .open = input else { return false }
        return turns.isEmpty && !isAnswering && !isFinished
    }

    /// Whether what the peer sends is of use.
    var acceptsInput: Bool {
        switch input {
        case .open, .started, .receiving: true
        case .ended, .ignored: false
        }
    }

    var isReceiving: Bool {
        switch input {
        case .started, .receiving: true
        case .open, .ended, .ignored: false
        }
    }

    /// Whether all that there is of a request is a part that was received.
    var hasOnlyPartialRequest: Bool { isReceiving && turns.isEmpty && !isAnswering && !isFinished }

    var hasPeerEnded: Bool {
        if case .ended = input { true } else { false }
    }

    // MARK: Input

    /// Bytes of a head were read, but not all of it.
    mutating func receivedBytes() {
        guard case .open = input else { return }
        input = .started
    }

    mutating func received(head: RequestDraft, peer: String) {
        switch input {
        case .open, .started: break
        case .receiving, .ended, .ignored: return
        }
        var draft = head
        draft.request.peer = peer
        // Rejected before the body is sent, for the sake of those that ask first with `Expect: 100-continue`.
        guard draft.declaredBytes ?? 0 <= bodyBytesMax else {
            return reject(.bodyTooLarge, toHead: draft.request.method == .HEAD)
        }
        draftBytes = Self.bytes(of: draft.request)
        input = .receiving(draft)
    }

    mutating func received(body: inout ByteBuffer) {
        guard case .receiving(var draft) = input else { return }
        // The draft leaves the state while it grows, so that its buffer is not copied.
        input = .open
        guard draft.request.body.readableBytes + body.readableBytes <= bodyBytesMax else {
            return reject(.bodyTooLarge, toHead: draft.request.method == .HEAD)
        }
        draft.append(&body)
        draftBytes = Self.bytes(of: draft.request)
        input = .receiving(draft)
    }

    mutating func receivedEnd() {
        guard case .receiving(let draft) = input else { return }
        progress &+= 1
        draftBytes = 0
        guard turns.count < turnsMax else {
            // The peer takes the rejection for the answer to the first of the requests that are dropped.
            let toHead = turns.first?.isToHead ?? false
            dropTurns()
            return reject(.malformed, toHead: toHead)
        }
        turnBytes += Self.bytes(of: draft.request)
        turns.append(.request(draft.request, isPersistent: draft.isPersistent, isHTTP10: draft.isHTTP10))
        input = draft.isPersistent ? .open : .ignored
    }

    /// Ends the input with a rejection, answered after the requests before it.
    ///
    /// - Parameter toHead: whether the request that is rejected is HEAD, as far as it was read.
    mutating func reject(_ rejection: HTTPRejection, toHead: Bool) {
        switch input {
        case .open, .started, .receiving: break
        case .ended, .ignored: return
        }
        progress &+= 1
        turns.append(.rejection(rejection, toHead: toHead))
        input = .ignored
        draftBytes = 0
    }

    /// Rejects the newest request that has not started, complete or partial: there is no memory for it.
    ///
    /// - Parameter partialIsHead: whether the partial request is HEAD, as far as it was read.
    mutating func rejectNewest(partialIsHead: Bool) {
        if isReceiving { return reject(.outOfMemory, toHead: partialIsHead) }
        guard case .request(let request, _, _)? = turns.last else { return }
        turns.removeLast()
        turnBytes -= Self.bytes(of: request)
        turns.append(.rejection(.outOfMemory, toHead: request.method == .HEAD))
        if !hasPeerEnded { input = .ignored }
    }

    private mutating func dropTurns() {
        turns.removeAll()
        turnBytes = 0
    }

    /// The peer will send nothing more. What it sent in full is still answered.
    mutating func inputEnded() {
        progress &+= 1
        input = .ended
        draftBytes = 0
    }

    /// The next answer is the last. A request may be on its way, so an idle connection waits for it.
    mutating func drain() {
        isDraining = true
    }

    /// No further request is waited for.
    mutating func endIdle() {
        isDraining = true
        endsIdle = true
    }

    // MARK: Output

    /// What to do now. Ask again after every event and every step until it says `wait`, `finish` or `close`.
    mutating func next() -> Step {
        guard !isFinished, !isAnswering else { return .wait }
        if let turn = turns.popFirst() {
            isAnswering = true
            switch turn {
            case .request(let request, let isPersistent, let isHTTP10):
                isLastAnswer = !isPersistent
                answeringBytes = Self.bytes(of: request)
                turnBytes -= answeringBytes
                return .answer(request, isHTTP10: isHTTP10)
            case .rejection(let rejection, let toHead):
                isLastAnswer = true
                return .reject(rejection, toHead: toHead)
            }
        }
        switch input {
        case .open:
            guard endsIdle else { return .wait }
            isFinished = true
            return .close
        case .started:
            return .wait
        case .receiving(var draft):
            guard draft.takeContinue() else { return .wait }
            input = .receiving(draft)
            return .sendContinue
        case .ended:
            isFinished = true
            return .close
        case .ignored:
            isFinished = true
            return .finish
        }
    }

    /// The answer is about to be written.
    /// - Returns: whether more answers can follow it; if not, it says so with `connection: close`.
    mutating func answered() -> Bool {
        isAnswering = false
        answeringBytes = 0
        progress &+= 1
        if isLastAnswer {
            dropTurns()
            if case .ended = input {} else { input = .ignored }
            return false
        }
        guard turns.isEmpty else { return true }
        switch input {
        case .open where isDraining:
            // Finished rather than dropped: the peer may have sent the next request already.
            input = .ignored
            return false
        case .ended: return false
        case .open, .started, .receiving, .ignored: return true
        }
    }
}
