import NIOConcurrencyHelpers
import NIOCore

/// The recorders of the methods that a client has called so far. Usable from any thread.
final class ClientRecorders: Sendable {
    /// A call that is being counted.
    struct Record {
        fileprivate let recorder: any CallRecorder
        fileprivate let began: NIODeadline

        func end(_ code: Status.Code) {
            recorder.callEnded(code, nanoseconds: (NIODeadline.now() - began).nanoseconds)
        }
    }

    private let make: @Sendable (_ service: String, _ method: String) -> (any CallRecorder)?
    /// By path; `nil` for methods that are not counted. As many as the program has methods.
    private let known = NIOLockedValueBox<[String: (any CallRecorder)?]>([:])

    init(_ make: @escaping @Sendable (_ service: String, _ method: String) -> (any CallRecorder)?) {
        self.make = make
    }

    /// - Returns: `nil` for a method that is not counted.
    func begin(_ method: MethodDescriptor) -> Record? {
        let recorder = known.withLockedValue { known in
            if let recorder = known[method.path] { return recorder }
            let recorder = make(method.service, method.name)
            known[method.path] = .some(recorder)
            return recorder
        }
        guard let recorder else { return nil }
        recorder.callBegan()
        return Record(recorder: recorder, began: .now())
    }
}
