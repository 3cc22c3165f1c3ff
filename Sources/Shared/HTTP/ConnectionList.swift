import NIOCore

/// The connections of one event loop, found by peer address and by idle time.
struct ConnectionList {
    private struct Entry {
        let connection: any ServedConnection
        /// Key of the peer's address; `nil` until it is known, and for addresses without a limit.
        var address: UInt64?
    }

    /// Idle connections that one search finds. A search for each newcomer would be quadratic under a flood of them.
    private static let candidatesMax = 256

    private var entries: [ObjectIdentifier: Entry] = [:]
    private var byAddress: [UInt64: Set<ObjectIdentifier>] = [:]
    /// The longest-idle connections of the last search; the longest-idle one is last.
    private var candidates: [ObjectIdentifier] = []

    var isEmpty: Bool { entries.isEmpty }
    var all: [any ServedConnection] { entries.values.map(\.connection) }

    mutating func add(_ connection: any ServedConnection) {
        entries[ObjectIdentifier(connection)] = Entry(connection: connection)
    }

    /// - Returns: whether it was in the list, and the address key that it was counted under.
    mutating func remove(_ connection: any ServedConnection) -> (isKnown: Bool, address: UInt64?) {
        let id = ObjectIdentifier(connection)
        guard let entry = entries.removeValue(forKey: id) else { return (false, nil) }
        if let address = entry.address {
            byAddress[address]?.remove(id)
            if byAddress[address]?.isEmpty == true { byAddress[address] = nil }
        }
        return (true, entry.address)
    }

    mutating func setAddress(_ address: UInt64, of connection: any ServedConnection) {
        let id = ObjectIdentifier(connection)
        guard entries[id] != nil else { return }
        entries[id]?.address = address
        byAddress[address, default: []].insert(id)
    }

    /// Puts `successor` in the place of `connection`; to the peer it is the same connection.
    mutating func replace(_ connection: any ServedConnection, by successor: any ServedConnection) {
        let (isKnown, address) = remove(connection)
        guard isKnown else { return }
        add(successor)
        if let address { setAddress(address, of: successor) }
    }

    /// A connection that has been idle for about the longest time; `nil` when none is idle.
    ///
    /// - Parameter address: only connections of this address; `nil` for any.
    mutating func longestIdle(from address: UInt64?) -> (any ServedConnection)? {
        guard let address else { return longestIdle() }
        var longest: (connection: any ServedConnection, order: UInt64)?
        for id in byAddress[address] ?? [] {
            guard let connection = entries[id]?.connection, let order = connection.idleOrder else { continue }
            if let known = longest, known.order <= order { continue }
            longest = (connection, order)
        }
        return longest?.connection
    }

    private mutating func longestIdle() -> (any ServedConnection)? {
        if let known = nextCandidate() { return known }
        let idle = entries.compactMap { id, entry in entry.connection.idleOrder.map { (id: id, order: $0) } }
        candidates = idle.sorted { $0.order < $1.order }.prefix(Self.candidatesMax).reversed().map(\.id)
        return nextCandidate()
    }

    /// The next candidate that is still open and idle.
    private mutating func nextCandidate() -> (any ServedConnection)? {
        while let id = candidates.popLast() {
            if let connection = entries[id]?.connection, connection.idleOrder != nil { return connection }
        }
        return nil
    }
}
