import NIOCore
import Testing

@testable import HTTP

@Suite("The order in which connections make room")
struct ConnectionListTests {
    private final class Connection: ServedConnection {
        var evictionOrder: UInt64?

        init(_ order: UInt64?) {
            evictionOrder = order
        }

        func drain() {}
        func endIdle() {}
        func abort() {}
        func evict() {}
        func checkTimeouts(now: NIODeadline) {}
    }

    /// A list by reference, which is what expectations can take.
    private final class List {
        private var list = ConnectionList()

        init(_ connections: [Connection], address: UInt64? = nil) {
            for connection in connections {
                list.add(connection)
                if let address { list.setAddress(address, of: connection) }
            }
        }

        /// Removes connections until all that are left have requests.
        func evictAll(from address: UInt64? = nil) -> [UInt64?] {
            var orders: [UInt64?] = []
            while let victim = list.firstToEvict(from: address) {
                orders.append(victim.evictionOrder)
                _ = list.remove(victim)
            }
            return orders
        }

        func first() -> UInt64? { list.firstToEvict(from: nil)?.evictionOrder }
    }

    @Test("idle ones first, then those with part of a request, each the oldest first; never one with a request")
    func order() {
        let partial = Connection.partialRequest
        let orders: [UInt64?] = [partial + 2, 7, nil, partial + 1, 3, nil]
        let expected: [UInt64?] = [3, 7, partial + 1, partial + 2]
        let all = List(orders.map { Connection($0) }).evictAll()
        #expect(all == expected)
        let ofAddress = List(orders.map { Connection($0) }, address: 1).evictAll(from: 1)
        #expect(ofAddress == expected)
    }

    @Test("one that was used since the search is left alone")
    func usedSince() {
        let connections = [1, 2, 3].map { Connection($0) }
        let list = List(connections)
        #expect(list.first() == 1)
        connections[1].evictionOrder = 9
        #expect(list.first() == 3)
    }
}
