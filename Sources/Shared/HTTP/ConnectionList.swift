import NIOCore

/// The connections of one event loop: found by whom they are from, and by how long they have been idle.
struct ConnectionList {
    private struct Entry {
        let connection: any ServedConnection
        /// Whom it is from; `nil` while nobody knows, and for those who are not counted.
        var address: UInt64?
    }

    /// Idle connections that are looked up at once: under a flood of newcomers a search for each would be quadratic.
    private static let candidatesMax = 256

    private var entries: [ObjectIdentifier: Entry] = [:]
    private var byAddress: [UInt64: Set<ObjectIdentifier>] = [:]
    /// The longest idle ones of the last search, the longest of all at the end.
    private var candidates: [ObjectIdentifier] = []

    var isEmpty: Bool { entries.isEmpty }
    var all: [any ServedConnection] { entries.values.map(\.connection) }

    mutating func add(_ connection: any ServedConnection) {
        entries[ObjectIdentifier(connection)] = Entry(connection: connection)
    }

    /// - Returns: whether it was in the list, and the address that it counted towards.
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

    /// `successor` takes the place of `connection`, which is the same to its peer.
    mutating func replace(_ connection: any ServedConnection, by successor: any ServedConnection) {
        let (isKnown, address) = remove(connection)
        guard isKnown else { return }
        add(successor)
        if let address { setAddress(address, of: successor) }
    }

    /// A connection that has been idle for about as long as any.
    ///
    /// - Parameter address: only connections of this one; `nil` for any.
    mutating func longIdle(from address: UInt64?) -> (any ServedConnection)? {
        guard let address else { return longIdle() }
        var longest: (connection: any ServedConnection, order: UInt64)?
        for id in byAddress[address] ?? [] {
            guard let connection = entries[id]?.connection, let order = connection.idleOrder else { continue }
            if let known = longest, known.order <= order { continue }
            longest = (connection, order)
        }
        return longest?.connection
    }

    private mutating func longIdle() -> (any ServedConnection)? {
        if let known = nextCandidate() { return known }
        let idle = entries.compactMap { id, entry in entry.connection.idleOrder.map { (id: id, order: $0) } }
        candidates = idle.sorted { $0.order < $1.order }.prefix(Self.candidatesMax).reversed().map(\.id)
        return nextCandidate()
    }

    /// Candidates may have ended, or be busy.
    private mutating func nextCandidate() -> (any ServedConnection)? {
        while let id = candidates.popLast() {
            if let connection = entries[id]?.connection, connection.idleOrder != nil { return connection }
        }
        return nil
    }
}
