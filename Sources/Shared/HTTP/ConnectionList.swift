import NIOCore

/// The connections of one event loop, found by peer address and by the order in which they make room for others.
struct ConnectionList {
    private struct Entry {
        let connection: any ServedConnection
        /// Key of the peer's address; `nil` until it is known, and for addresses without a limit.
        var address: UInt64?
    }

    /// Connections that one search finds. A search for each newcomer would be quadratic under a flood of them.
    private static let candidatesMax = 256

    private var entries: [ObjectIdentifier: Entry] = [:]
    private var byAddress: [UInt64: Set<ObjectIdentifier>] = [:]
    /// The connections of the last search that may be closed, with their order then; the first to be closed is last.
    private var candidates: [(id: ObjectIdentifier, order: UInt64)] = []

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

    /// About the first connection in ``ServedConnection/evictionOrder``; `nil` when all have requests.
    ///
    /// - Parameter address: only connections of this address; `nil` for any.
    mutating func firstToEvict(from address: UInt64?) -> (any ServedConnection)? {
        guard let address else { return firstToEvict() }
        var first: (connection: any ServedConnection, order: UInt64)?
        for id in byAddress[address] ?? [] {
            guard let connection = entries[id]?.connection, let order = connection.evictionOrder else { continue }
            if let known = first, known.order <= order { continue }
            first = (connection, order)
        }
        return first?.connection
    }

    private mutating func firstToEvict() -> (any ServedConnection)? {
        if let known = nextCandidate() { return known }
        let found = entries.compactMap { id, entry in entry.connection.evictionOrder.map { (id: id, order: $0) } }
        candidates = found.sorted { $0.order < $1.order }.prefix(Self.candidatesMax).reversed()
        return nextCandidate()
    }

    /// The next candidate that is still open and was not used since the search.
    private mutating func nextCandidate() -> (any ServedConnection)? {
        while let (id, order) = candidates.popLast() {
            if let connection = entries[id]?.connection, connection.evictionOrder == order { return connection }
        }
        return nil
    }
}
