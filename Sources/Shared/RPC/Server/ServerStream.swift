import NIOCore
import Traces

/// One call as the server sees it, from the first header field to the answer.
///
/// `@unchecked Sendable`: its handler's task captures it. It is touched on the event loop of its connection only, also by
/// the task (see ``ServerConnection``).
final class ServerStream: HTTP2Stream, @unchecked Sendable {
    /// An answer that is decided before the handler runs.
    enum Rejection {
        /// An HTTP status instead of gRPC's, for peers that do not speak gRPC (405, 415).
        case http(StaticString)
        case status(Status)
    }

    var route: ServerRoute?
    var isPost = false
    var isGRPC = false
    var metadata = Metadata()
    /// Absolute, from `grpc-timeout`.
    var deadline = Deadline.never
    var encoding: String?
    var rejection: Rejection?
    /// Name + value + 32 for each field so far.
    var headerBytes = 0
    var reader = MessageReader()

    var hasHeaders = false
    /// An answer was submitted; later ones are dropped.
    var isAnswered = false
    /// The connection's tick during which it was opened.
    let openedAtTick: Int
    /// When the handler began.
    var startedAt: NIODeadline?
    /// Whether its handler runs and holds the request.
    var isHandled = false
    /// Bytes held in the connection's accounts.
    var requestMemory = 0
    var responseMemory = 0
    /// Tells whether the peer reads the answer.
    var progress = ProgressWatch()
    /// What was answered without a message.
    var statusOnWire: Status.Code?
    /// The call's span, when it is recorded.
    var span: TraceSpan?
    /// The running handler; cancelled when the caller gives up or the deadline passes.
    var task: Task<Void, Never>?

    init(openedAtTick: Int) {
        self.openedAtTick = openedAtTick
        super.init(id: 0)
    }
}

/// A route with what the connection needs to find and to count it. A class, as each call takes a reference to it.
final class ServerRoute: Sendable {
    let pathBytes: [UInt8]
    let path: String
    let invoke: RPCRoute.Invoke
    /// `nil` when nobody counts or logs its calls.
    let observer: (any CallObserver)?
    /// Whether it is answered regardless of the number of running calls.
    let isAlwaysAnswered: Bool
    /// `service/method`, as spans are named.
    let name: String
    /// Health checks would fill the store of traces and tell nobody anything.
    let isTraced: Bool

    init(_ route: RPCRoute, observer: (any CallObserver)?) {
        isAlwaysAnswered = route.isAlwaysAnswered
        pathBytes = Array(route.path.utf8)
        path = route.path
        invoke = route.invoke
        self.observer = observer
        name = "\(route.service)/\(route.name)"
        isTraced = route.service != "grpc.health.v1.Health"
    }

    /// The route that unknown methods are counted and logged under. No request finds it.
    init(unknownNamed name: String, observer: (any CallObserver)?) {
        pathBytes = []
        path = name
        self.name = name
        isTraced = false
        invoke = { _, _, _ in throw Status(.unimplemented, "there is no such method") }
        isAlwaysAnswered = true
        self.observer = observer
    }
}

/// Reads the request's header fields as gRPC over HTTP/2 defines them ("Requests").
extension ServerStream {
    /// Pairs of most calls: a request id, the trace and its state, and a token or a key. An array that grows to so many
    /// is allocated three times.
    private static let metadataCountUsual = 4

    func receive(
        _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, routes: [ServerRoute], bytesMax: Int
    ) {
        headerBytes += name.count + value.count + 32
        guard headerBytes <= bytesMax else {
            reject(.status(Status(.resourceExhausted, "the header list is larger than \(bytesMax) bytes")))
            return
        }
        // Fields after the headers are trailers of the request; gRPC gives them no meaning.
        guard !hasHeaders, let first = name.first else { return }
        switch first {
        case UInt8(ascii: ":"): receivePseudo(name, value, routes)
        case UInt8(ascii: "c") where name.equals("content-type"): isGRPC = value.isGRPCMediaType
        case UInt8(ascii: "t") where name.equals("te"): break
        case UInt8(ascii: "u") where name.equals("user-agent"): break
        case UInt8(ascii: "g") where name.hasPrefix("grpc-"): receiveReserved(name, value)
        default: receiveMetadata(name, value)
        }
    }

    /// Takes a value of printable ASCII, which is all that gRPC allows ("ASCII-Value"). In others the bytes that are no
    /// UTF-8 would be replaced, so that two values became equal.
    private func receiveMetadata(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        // Those of a trace may hold tabs, and are checked by who reads them.
        if value.isPrintableASCII || name.equals("tracestate") || name.equals("traceparent") {
            if metadata.isEmpty { metadata.reserveCapacity(Self.metadataCountUsual) }
            metadata.add(name.text, value.text)
        } else if name.equals("idempotency-key") || name.equals("authorization") || name.equals("token") {
            // Without them it would be another call.
            reject(.status(.invalid(name.text, "\(name.text) must be printable ASCII")))
        }
    }

    private func receivePseudo(
        _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ routes: [ServerRoute]
    ) {
        if name.equals(":path") {
            // A handful of routes: comparing bytes beats hashing them.
            for candidate in routes where value.equals(candidate.pathBytes) {
                route = candidate
                break
            }
        } else if name.equals(":method") {
            isPost = value.equals("POST")
        }
    }

    private func receiveReserved(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        if name.equals("grpc-timeout") {
            guard let nanoseconds = Deadline.nanoseconds(grpcTimeout: value) else {
                reject(.status(.invalid("grpc-timeout", "grpc-timeout is malformed")))
                return
            }
            let now = NIODeadline.now()
            let (end, overflow) = now.uptimeNanoseconds.addingReportingOverflow(UInt64(nanoseconds))
            deadline = overflow || end >= Int64.max ? .never : Deadline(.uptimeNanoseconds(end))
        } else if name.equals("grpc-encoding") {
            if !value.equals("identity") { encoding = value.text.shortened() }
        } else if name.equals("grpc-previous-rpc-attempts"), value.count <= 3 {
            metadata.add(Metadata.attempts, value.text)
        }
        // Others (grpc-accept-encoding, grpc-trace-bin, ...) ask nothing of us.
    }

    /// Sets the rejection; the first one counts, and only its text is made.
    func reject(_ new: @autoclosure () -> Rejection) {
        if rejection == nil { rejection = new() }
    }

    /// Rejects a call that can't be run, once its headers are complete.
    func checkHeaders() {
        hasHeaders = true
        if rejection != nil { return }
        if !isPost {
            reject(.http("405"))
        } else if !isGRPC {
            reject(.http("415"))
        } else if route == nil {
            reject(.status(Status(.unimplemented, "there is no such method")))
        }
    }
}
