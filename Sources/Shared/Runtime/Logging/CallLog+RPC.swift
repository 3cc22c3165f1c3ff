import Logging
import NIOCore
import RPC

extension CallLog {
    /// What writes the lines of one RPC method.
    ///
    /// - Parameter isProbe: for calls that somebody's watch makes: they are lines of the level `debug`.
    public func observer(service: String, method: String, isProbe: Bool = false) -> any CallObserver {
        Observer(log: self, method: service.isEmpty ? method : "\(service)/\(method)", isProbe: isProbe)
    }

    private struct Observer: CallObserver {
        let log: CallLog
        let method: String
        let isProbe: Bool

        func callEnded(
            _ code: Status.Code, metadata: Metadata, peer: String, began: NIODeadline, ended: NIODeadline
        ) {
            let level = isProbe ? .debug : code.logLevel
            guard log.admits(level, ended) else { return }
            log.write(
                Line(
                    level: level, method: method, status: code.name, nanoseconds: (ended - began).nanoseconds,
                    requestID: metadata["x-request-id"], traceparent: metadata["traceparent"], peer: peer))
        }
    }
}

extension Status.Code {
    /// How loudly a server says that it ended a call so: what callers did wrong is their affair.
    var logLevel: Logger.Level {
        switch self {
        case .ok, .cancelled, .invalidArgument, .notFound, .alreadyExists, .permissionDenied, .failedPrecondition,
            .aborted, .outOfRange, .unimplemented, .unauthenticated:
            .info
        case .deadlineExceeded, .resourceExhausted, .unavailable: .warning
        case .unknown, .internal, .dataLoss: .error
        }
    }
}
