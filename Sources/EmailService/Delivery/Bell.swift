/// Wakes whoever looks for mails. Rings while they look are heard as one afterwards.
final class Bell: Sendable {
    let rings: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() {
        (rings, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func ring() { continuation.yield() }

    /// No ring is heard any more; whoever listens goes on.
    func finish() { continuation.finish() }
}
