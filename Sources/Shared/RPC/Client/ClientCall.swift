import NIOCore

/// One attempt of a call: what is sent, what has come back, and who waits.
///
/// `@unchecked Sendable`: the caller's thread sets it up before it hands the call to the event loop, through the loop's
/// queue or on the loop itself. From then on only the loop touches it, as ``LoopClient`` asserts; the caller keeps
/// nothing but the outcome. A cancellation goes through the loop's queue, too. The continuation is resumed exactly
/// once, by ``finish(_:)``.
final class ClientCall: HTTP2Stream, @unchecked Sendable {
    /// What an attempt came to.
    struct Outcome: Sendable {
        var result: Result<[UInt8], Status>
        /// The server surely did not start on it, so that repeating it is safe for every method.
        var wasNeverProcessed = false
        /// The connection or the stream failed, rather than the server answering.
        var isTransportFailure = false
        /// The connection ended, rather than the call's stream alone.
        var isConnectionLoss = false

        /// A call that was not sent and is not retried.
        static func givenUp(_ status: Status) -> Outcome {
            Outcome(result: .failure(status), wasNeverProcessed: true)
        }

        static func notProcessed(_ status: Status) -> Outcome {
            Outcome(result: .failure(status), wasNeverProcessed: true, isTransportFailure: true)
        }

        static func lost(_ status: Status) -> Outcome {
            Outcome(result: .failure(status), isTransportFailure: true)
        }

        /// A call whose connection ended, before or after the call was sent.
        static func connectionLost(_ text: String, wasNeverSent: Bool) -> Outcome {
            Outcome(
                result: .failure(Status(.unavailable, text)), wasNeverProcessed: wasNeverSent, isTransportFailure: true,
                isConnectionLoss: true)
        }
    }

    let path: String
    /// Empty once the call is finished: a finished call may stay in a queue for a while.
    private(set) var body: [UInt8]
    let metadata: Metadata
    let deadline: Deadline
    /// See ``Method/isProbe``.
    let isProbe: Bool

    /// Where ``LoopClient`` keeps it; -1 before and after.
    var index = -1
    /// Set while its request is with a connection.
    var connection: ClientConnection?
    /// End of its wait for a connection; `distantFuture` while it does not wait for one.
    var connectBy = NIODeadline.distantFuture
    private(set) var isFinished = false
    /// Whether ``LoopClient`` has taken it; nobody touches the continuation on the loop before that.
    var isStarted = false
    /// Its task was cancelled before it was started.
    var isCancelled = false
    private var continuation: UnsafeContinuation<Outcome, Never>?

    var response = ResponseReader()
    /// Bytes of its answer in the connection's account.
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
    ///
    /// - Parameter names: those that the connection has sent before.
    func writeHeaders(
        _ fields: inout HeaderList, scheme: StaticString, authority: String, _ names: inout IntroducedNames
    ) {
        fields.add(":method", "POST")
        fields.add(":scheme", scheme)
        fields.add(":path", path)
        fields.add(":authority", authority)
        fields.add("te", "trailers")
        fields.add("content-type", "application/grpc")
        if !deadline.isNever {
            fields.add("grpc-timeout", deadline.grpcTimeout(now: .now()), neverIndexed: !names.introduceTimeout())
        }
        for (name, value) in metadata { fields.add(name, value, neverIndexed: !names.introduce(name)) }
    }
}
