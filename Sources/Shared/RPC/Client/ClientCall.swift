import NIOCore

/// One attempt of a call: what is sent, what has come back, and who waits.
///
/// `@unchecked Sendable`: what the caller's thread gives it is written before the call is handed to its event loop, by that
/// loop's queue or on that loop. From then on it is touched there only,
/// as ``LoopClient`` asserts; the caller keeps nothing of it but the outcome. A cancellation goes by the loop's queue, too.
/// The continuation is resumed exactly once, by ``finish(_:)``.
final class ClientCall: HTTP2Stream, @unchecked Sendable {
    /// What an attempt came to.
    struct Outcome: Sendable {
        var result: Result<[UInt8], Status>
        /// The server surely did not start on it, so that repeating it is safe for every method.
        var wasNeverProcessed = false
        /// The connection or the stream failed, rather than the server answering.
        var isTransportFailure = false
        /// The connection ended and took the call with it, rather than the call's stream alone.
        var isConnectionLoss = false

        /// It was not sent, and need not be tried again.
        static func givenUp(_ status: Status) -> Outcome {
            Outcome(result: .failure(status), wasNeverProcessed: true)
        }

        static func notProcessed(_ status: Status) -> Outcome {
            Outcome(result: .failure(status), wasNeverProcessed: true, isTransportFailure: true)
        }

        static func lost(_ status: Status) -> Outcome {
            Outcome(result: .failure(status), isTransportFailure: true)
        }

        /// Its connection ended, before it was sent or after.
        static func connectionLost(_ text: String, wasNeverSent: Bool) -> Outcome {
            Outcome(
                result: .failure(Status(.unavailable, text)), wasNeverProcessed: wasNeverSent, isTransportFailure: true,
                isConnectionLoss: true)
        }
    }

    let path: String
    /// Empty once the call is finished: one that gave up may stay in a queue for a while.
    private(set) var body: [UInt8]
    let metadata: Metadata
    let deadline: Deadline
    /// See ``Method/isProbe``.
    let isProbe: Bool

    /// Where ``LoopClient`` keeps it; -1 before and after.
    var index = -1
    /// Set while its request is with a connection.
    var connection: ClientConnection?
    /// When it stops waiting for a connection; far off while it does not wait for one.
    var connectBy = NIODeadline.distantFuture
    private(set) var isFinished = false
    /// Whether ``LoopClient`` has taken it; nobody touches the continuation on the loop before that.
    var isStarted = false
    /// Its task was cancelled before it was started.
    var isCancelled = false
    private var continuation: UnsafeContinuation<Outcome, Never>?

    var response = ResponseReader()
    /// Bytes of its answer in its connection's account.
    var heldBytes = 0

    init(path: String, body: [UInt8], metadata: Metadata, deadline: Deadline, isProbe: Bool) {
        self.path = path
        self.body = body
        self.metadata = metadata
        self.deadline = deadline
        self.isProbe = isProbe
        super.init(id: 0)
    }

    func waiter(_ continuation: UnsafeContinuation<Outcome, Never>) {
        self.continuation = continuation
    }

    func finish(_ outcome: Outcome) {
        guard !isFinished else { return }
        isFinished = true
        body = []
        connection = nil
        // The caller's task goes on on its own executor: this loop's, for callers that run here.
        continuation?.resume(returning: outcome)
        continuation = nil
    }

    /// The header fields of the request.
    func writeHeaders(_ fields: inout HeaderList, scheme: StaticString, authority: String) {
        fields.add(":method", "POST")
        fields.add(":scheme", scheme)
        fields.add(":path", path)
        fields.add(":authority", authority)
        fields.add("te", "trailers")
        fields.add("content-type", "application/grpc")
        if !deadline.isNever {
            fields.add("grpc-timeout", deadline.grpcTimeout(now: .now()), neverIndexed: true)
        }
        for (name, value) in metadata { fields.add(name, value, neverIndexed: true) }
    }
}
