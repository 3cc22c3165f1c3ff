import Logging
import NIOCore
import NIOPosix
import NIOSSL
import SwiftProtobuf
import Traces

/// Calls one service, however many servers answer for it.
///
/// It keeps, on each event loop, a connection to every address of the service's name; a call goes to the one with
/// fewer calls in flight of two taken at random. A call made on one of the group's loops stays on that loop.
/// Names are looked up again and again, and the answers may be stale: an address that the name has lost is used until its
/// connection ends or one to another address is made.
/// ``shutdown()`` must be called before the client is released.
public final class RPCClient: Sendable {
    let configuration: Configuration
    let loops: [LoopClient]
    private let resolver: Resolver
    private let budget = RetryBudget()
    private let observers: ClientObservers

    /// Starts to look the target up; connects when the first call comes.
    ///
    /// - Parameter observer: asked once for each method, when it is first called.
    public convenience init(
        configuration: Configuration, group: MultiThreadedEventLoopGroup, logger: Logger,
        observer: @escaping @Sendable (_ service: String, _ method: String) -> (any CallObserver)? = { _, _ in nil }
    ) {
        self.init(
            configuration: configuration, group: group, logger: logger, observer: observer,
            lookUp: Resolver.addresses(of:))
    }

    /// - Parameter lookUp: answers the name's addresses in place of the system's resolver; it may block.
    init(
        configuration: Configuration, group: MultiThreadedEventLoopGroup, logger: Logger,
        observer: @escaping @Sendable (_ service: String, _ method: String) -> (any CallObserver)? = { _, _ in nil },
        lookUp: @escaping Resolver.LookUp
    ) {
        self.configuration = configuration
        observers = ClientObservers(of: configuration.target, observer)
        let wake = WakeUp()
        let loops = group.makeIterator().map {
            LoopClient($0, configuration, logger: logger) { wake.resolver?.resolveSoon() }
        }
        for loop in loops { loop.others = loops.filter { $0 !== loop } }
        self.loops = loops
        resolver = Resolver(
            configuration.target, interval: configuration.resolveInterval, logger: logger, lookUp: lookUp
        ) { result in
            for loop in loops {
                loop.eventLoop.execute {
                    switch result {
                    case .success(let addresses): loop.update(addresses)
                    case .failure(let status): loop.resolveFailed(status)
                    }
                }
            }
        }
        wake.resolver = resolver
        resolver.start()
    }

    /// Calls `method` and waits for its answer until `deadline`. Cancelling the task cancels the call at the server.
    ///
    /// Waits for a connection when there is none, at most ``Configuration/connectWait``.
    ///
    /// Retries a call that the server surely did not start, and one whose connection was lost if the method is idempotent
    /// or the metadata has an idempotency key, within the deadline, ``Configuration/attemptsMax`` and a budget of a tenth
    /// of all calls; the first retry after the loss of a connection is free. A retry is marked as one, and calls made on
    /// its behalf (see ``Metadata/propagated``) are not retried again. A call that fails with RESOURCE_EXHAUSTED is never
    /// retried.
    ///
    /// - Throws: ``Status`` only; RESOURCE_EXHAUSTED also when the answer has more elements than a request may have.
    public func call<Request: Message, Response: Message>(
        _ method: Method<Request, Response>,
        _ request: Request,
        metadata: Metadata = [:],
        deadline: Deadline
    ) async throws -> Response {
        try await call(method, request, metadata: metadata, deadline: deadline, on: nil)
    }

    /// Calls `method` once on every event loop at the same time, to check that calls pass on all of them.
    ///
    /// - Returns: one answer for each loop.
    /// - Throws: the ``Status`` of the first call that fails.
    public func callOnEveryLoop<Request: Message, Response: Message>(
        _ method: Method<Request, Response>, _ request: Request, deadline: Deadline
    ) async throws -> [Response] {
        try await withThrowingTaskGroup(of: Response.self) { calls in
            for loop in loops {
                calls.addTask {
                    try await self.call(method, request, metadata: [:], deadline: deadline, on: loop)
                }
            }
            return try await calls.reduce(into: []) { $0.append($1) }
        }
    }

    /// Calls a method with the bytes of its request, and returns those of its answer, neither of them looked at: as
    /// ``call(_:_:metadata:deadline:)`` otherwise.
    ///
    /// - Throws: ``Status`` only.
    package func call(
        _ method: MethodDescriptor, _ request: FramedMessage, metadata: Metadata, deadline: Deadline
    ) async throws -> [UInt8] {
        try await call(method, request, metadata: metadata, deadline: deadline, on: nil)
    }

    /// - Parameter loop: where the call runs; `nil` for the current event loop, or any.
    func call<Request: Message, Response: Message>(
        _ method: Method<Request, Response>, _ request: Request, metadata: Metadata, deadline: Deadline,
        on loop: LoopClient?
    ) async throws -> Response {
        let body: FramedMessage
        do {
            body = try request.serializedBytes()
        } catch {
            throw Status(.internal, "the request can't be serialized")
        }
        let bytes = try await call(method.descriptor, body, metadata: metadata, deadline: deadline, on: loop)
        if bytes.count > MessageLimits.elementsMax * ElementCount.elementBytesMin {
            _ = try DecodedMemory.elements(of: bytes, method.responseShape)
        }
        do {
            return try Response(serializedBytes: bytes)
        } catch {
            throw Status(.internal, "the answer is not a valid \(Response.protoMessageName)")
        }
    }

    private func call(
        _ method: MethodDescriptor, _ request: FramedMessage, metadata: Metadata, deadline: Deadline,
        on loop: LoopClient?
    ) async throws -> [UInt8] {
        guard request.count <= configuration.messageBytesMax else {
            throw Status(.resourceExhausted, "the request is larger than \(configuration.messageBytesMax) bytes")
        }
        var metadata = metadata
        let begun = observers.begin(method, &metadata)
        do {
            let bytes = try await call(
                method, request.framed, metadata: metadata, deadline: deadline, begun.span, on: loop)
            observers.end(begun, .ok, metadata)
            return bytes
        } catch {
            observers.end(begun, Status(error).code, metadata)
            throw error
        }
    }

    private func call(
        _ method: MethodDescriptor, _ body: [UInt8], metadata: Metadata, deadline: Deadline, _ span: TraceSpan?,
        on loop: LoopClient?
    ) async throws -> [UInt8] {
        let isRetry = metadata.isRetry
        if isRetry { budget.retryBegan() } else { budget.callBegan() }
        var metadata = metadata
        var attempt = 1
        while true {
            let outcome = await perform(
                ClientCall(
                    path: method.path, body: body, metadata: metadata, deadline: deadline, isProbe: method.isProbe),
                on: loop ?? currentLoop())
            switch outcome.result {
            case .success(let bytes): return bytes
            case .failure(let status):
                guard outcome.isTransportFailure, status.code != .resourceExhausted,
                    outcome.wasNeverProcessed || method.isIdempotent || metadata.hasIdempotencyKey,
                    attempt < configuration.attemptsMax, !Task.isCancelled,
                    mayRetry(outcome, attempt, isRetry: isRetry)
                else { throw status }
                let pause = Backoff.betweenAttempts.wait(after: attempt, random: .random(in: 0..<1))
                guard deadline.isNever || deadline.remaining > pause else { throw status }
                do { try await Task.sleep(for: pause) } catch { throw status }
                metadata.setPreviousAttempts(attempt)
                attempt += 1
                span?.recordRetry(attempt, after: status)
            }
        }
    }

    /// Whether a failed call is made again.
    ///
    /// - Parameter isRetry: whether the call is itself made for a retried call.
    private func mayRetry(_ outcome: ClientCall.Outcome, _ attempt: Int, isRetry: Bool) -> Bool {
        // In a chain of services only one retries a call that was, or may have been, processed.
        if isRetry, !(outcome.isConnectionLoss && outcome.wasNeverProcessed) { return false }
        // A service that restarts loses all its calls in flight at once, more than any budget covers. Each may be
        // retried once: a restart is not the overload that the budget keeps from being multiplied.
        return (outcome.isConnectionLoss && attempt == 1) || budget.takeRetry()
    }

    private func perform(_ call: ClientCall, on loop: LoopClient) async -> ClientCall.Outcome {
        await withTaskCancellationHandler {
            // Unsafe continuation: ClientCall.finish resumes it exactly once, whatever happens to the call, and a
            // checked one would allocate for every call.
            await withUnsafeContinuation { continuation in
                call.waiter(continuation)
                if loop.eventLoop.inEventLoop {
                    loop.start(call)
                } else {
                    loop.eventLoop.execute { loop.start(call) }
                }
            }
        } onCancel: {
            // Always by a turn of the loop: the call may not have been started yet.
            loop.eventLoop.execute { loop.cancel(call, Status(.cancelled, "the call was cancelled")) }
        }
    }

    /// The loop that we are on, if it is one of ours, else any.
    private func currentLoop() -> LoopClient {
        if let current = MultiThreadedEventLoopGroup.currentEventLoop {
            for loop in loops where loop.eventLoop === current { return loop }
        }
        return loops[Int.random(in: 0..<loops.count)]
    }

    /// Closes every connection; calls in flight end with UNAVAILABLE. May be called again.
    public func shutdown() async {
        resolver.stop()
        for loop in loops {
            try? await loop.eventLoop.submit { loop.shutdown() }.get()
        }
    }

    /// Connections that may take calls, over all loops, for a gauge.
    public var connectionCount: Int {
        loops.reduce(0) { $0 + $1.readyCount.load(ordering: .relaxed) }
    }

    /// Whether calls made on this event loop have a connection now.
    package func isConnected(on eventLoop: any EventLoop) -> Bool {
        loops.contains { $0.eventLoop === eventLoop && $0.readyCount.load(ordering: .relaxed) > 0 }
    }
}

extension Backoff {
    /// Between the attempts of one call: short, as the caller waits.
    fileprivate static let betweenAttempts = Backoff(
        first: .milliseconds(10), factor: 3, longest: .milliseconds(200), jitter: 0.5)
}

/// Lets the loops, which are made first, reach the resolver, which is made after them.
///
/// `@unchecked Sendable`: written once, before the resolver starts and thereby before any loop hears of an address and
/// can have a failure to report.
private final class WakeUp: @unchecked Sendable {
    weak var resolver: Resolver?
}
