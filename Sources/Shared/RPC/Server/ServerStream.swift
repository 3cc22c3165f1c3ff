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
    let recorder: (any CallRecorder)?
    let observer: (any CallObserver)?
    /// Whether anybody counts or logs its calls.
    let isObserved: Bool
    /// Whether it is answered regardless of the number of running calls.
    let isAlwaysAnswered: Bool
    /// `service/method`, as spans are named.
    let name: String
    /// Health checks would fill the store of traces and tell nobody anything.
    let isTraced: Bool

    init(_ route: RPCRoute, recorder: (any CallRecorder)?, observer: (any CallObserver)?) {
        isAlwaysAnswered = route.isAlwaysAnswered
        pathBytes = Array(route.path.utf8)
        path = route.path
        invoke = route.invoke
        self.recorder = recorder
        self.observer = observer
        isObserved = recorder != nil || observer != nil
        name = "\(route.service)/\(route.name)"
        isTraced = route.service != "grpc.health.v1.Health"
    }

    /// The route that unknown methods are counted and logged under. No request finds it.
    init(unknownNamed name: String, recorder: (any CallRecorder)?, observer: (any CallObserver)?) {
        pathBytes = []
        path = name
        self.name = name
        isTraced = false
        invoke = { _, _, _ in throw Status(.unimplemented, "there is no such method") }
        isAlwaysAnswered = true
        self.recorder = recorder
        self.observer = observer
        isObserved = recorder != nil || observer != nil
    }
}
