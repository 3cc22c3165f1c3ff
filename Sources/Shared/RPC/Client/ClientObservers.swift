import NIOConcurrencyHelpers
import NIOCore
import Traces
import Tracing

/// Tells of each call of a client, once that it began and once how it ended: its span and its method's observer. Usable
/// from any thread.
final class ClientObservers: Sendable {
    /// A call that has begun.
    struct Call {
        /// `nil` where it belongs to no recorded call.
        let span: TraceSpan?
        /// `nil` for a method that is not observed.
        fileprivate let observer: (any CallObserver)?
        fileprivate let began: NIODeadline
    }

    private let target: HostPort
    private let make: @Sendable (_ service: String, _ method: String) -> (any CallObserver)?
    /// By path; `nil` for methods that are not observed. As many as the program has methods.
    private let known = NIOLockedValueBox<[String: (any CallObserver)?]>([:])

    init(
        of target: HostPort, _ make: @escaping @Sendable (_ service: String, _ method: String) -> (any CallObserver)?
    ) {
        self.target = target
        self.make = make
    }

    /// The server finds in the metadata which span the call is.
    ///
    /// Not inlined: what it needs for a moment would be part of the frame of the function that waits for the answer.
    @inline(never)
    func begin(_ method: MethodDescriptor, _ metadata: inout Metadata) -> Call {
        let span = beginSpan(method.path, &metadata)
        let observer = known.withLockedValue { known in
            if let observer = known[method.path] { return observer }
            let observer = make(method.service, method.name)
            known[method.path] = .some(observer)
            return observer
        }
        guard let observer else { return Call(span: span, observer: nil, began: .distantPast) }
        observer.callBegan()
        return Call(span: span, observer: observer, began: .now())
    }

    @inline(never)
    func end(_ call: Call, _ code: Status.Code, _ metadata: Metadata) {
        call.span?.endClient(code)
        guard let observer = call.observer else { return }
        observer.callEnded(code, metadata: metadata, peer: target.host, began: call.began, ended: .now())
    }

    private func beginSpan(_ path: String, _ metadata: inout Metadata) -> TraceSpan? {
        guard let parent = TraceSpan.current else { return nil }
        let name = String(path.dropFirst())
        let span = parent.child(name, kind: .client)
        span.set("rpc.system.name", "grpc")
        span.set("rpc.method", .string(name))
        span.set("server.address", .string(target.host))
        span.set("server.port", .int64(Int64(target.port)))
        metadata.set(span.identity, state: span.state)
        return span
    }
}
