import Foundation
import NIOConcurrencyHelpers
import TestSupport

/// A load balancer of connections, such as a Service with an address of its own: each new connection goes to the next
/// server, and stays there.
final class Relay: Sendable {
    private let ports: NIOLockedValueBox<[Int]>
    private let listener: FakeServer

    init(to ports: [Int]) throws {
        let ports = NIOLockedValueBox(ports)
        self.ports = ports
        listener = try FakeServer { number, peer in
            let port = ports.withLockedValue { $0[number % $0.count] }
            let server = try RawPeer(port: port)
            Thread.detachNewThread { Relay.forward(server, to: peer) }
            Relay.forward(peer, to: server)
        }
    }

    var port: Int { listener.port }

    /// Connections so far.
    var accepted: Int { listener.accepted }

    /// Where new connections go from now on.
    func lead(to ports: [Int]) {
        self.ports.withLockedValue { $0 = ports }
    }

    func stop() {
        listener.stop()
    }

    /// Passes bytes on until one of the two ends, which ends the other.
    private static func forward(_ source: RawPeer, to sink: RawPeer) {
        while let bytes = source.receive(patience: 60), !bytes.isEmpty {
            guard sink.send(bytes) else { break }
        }
        sink.end()
    }
}
