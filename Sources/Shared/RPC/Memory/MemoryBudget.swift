import Synchronization

/// Limit on the bytes that a process holds for its peers, over all connections. Usable from any thread.
///
/// It counts what grows with the data that peers send or do not read: requests, answers, decoded messages. It is no
/// allocator and does not count what the program itself needs; the shares leave room for that, and for the overhead of
/// allocations. Small amounts are not counted one by one (see ``MemoryAccount/freeBytes``).
public final class MemoryBudget: Sendable {
    public enum Kind: String, Sendable, CaseIterable {
        /// Data that peers send, until it is answered.
        case requests
        /// Data that waits for a peer to read it, or is being encoded for one.
        case responses
        /// Decoded messages: many times their size on the wire. At the gateway, requests as their services get them.
        case elements
        /// Connections themselves, without their traffic.
        case connections
    }

    /// Default limit, in bytes: that of the manifests.
    public static let limitBytesDefault = 256 * 1024 * 1024
    /// Smallest limit that a program accepts, in bytes.
    public static let limitBytesMin = 64 * 1024 * 1024

    /// Shares in 64ths of the limit. Together they are less than two thirds of it: freed memory returns to the system
    /// late and in parts, a buffer that grows is copied, and the program itself needs some.
    private static let requestShare = 6
    private static let responseShare = 12
    private static let elementShare = 6
    private static let connectionShare = 16

    /// Counter of one kind.
    private final class Share: Sendable {
        let bytesMax: Int
        let used = Atomic(0)
        let rejections = Atomic(0)

        init(bytesMax: Int) {
            self.bytesMax = bytesMax
        }
    }

    /// Memory that the process may use in all, in bytes.
    public let limitBytes: Int
    private let requests: Share
    private let responses: Share
    private let elements: Share
    private let connections: Share

    /// - Parameter limitBytes: limit of the process; at least ``limitBytesMin``.
    public init(limitBytes: Int = limitBytesDefault) {
        let limit = max(limitBytes, Self.limitBytesMin)
        self.limitBytes = limit
        requests = Share(bytesMax: limit / 64 * Self.requestShare)
        responses = Share(bytesMax: limit / 64 * Self.responseShare)
        elements = Share(bytesMax: limit / 64 * Self.elementShare)
        connections = Share(bytesMax: limit / 64 * Self.connectionShare)
    }

    private func share(_ kind: Kind) -> Share {
        switch kind {
        case .requests: requests
        case .responses: responses
        case .elements: elements
        case .connections: connections
        }
    }

    /// Counts `bytes` more, if there is room.
    ///
    /// - Parameter isLarge: leaves the last quarter to others, so that a few large holders never shut out many small
    ///   ones.
    public func take(_ bytes: Int, _ kind: Kind, isLarge: Bool = false) -> Bool {
        let share = share(kind)
        let bytesMax = isLarge ? share.bytesMax / 4 * 3 : share.bytesMax
        if share.used.load(ordering: .relaxed) <= bytesMax - bytes {
            guard share.used.wrappingAdd(bytes, ordering: .relaxed).newValue > bytesMax else { return true }
            share.used.wrappingSubtract(bytes, ordering: .relaxed)
        }
        share.rejections.wrappingAdd(1, ordering: .relaxed)
        return false
    }

    /// Counts bytes that are held already, whether there is room or not.
    func takeUnchecked(_ bytes: Int, _ kind: Kind) {
        share(kind).used.wrappingAdd(bytes, ordering: .relaxed)
    }

    /// Releases bytes that were taken.
    public func release(_ bytes: Int, _ kind: Kind) {
        share(kind).used.wrappingSubtract(bytes, ordering: .relaxed)
    }

    /// Whether more than five eighths are used, so that slow peers get less time.
    public func isUnderPressure(_ kind: Kind) -> Bool {
        let share = share(kind)
        return share.used.load(ordering: .relaxed) > share.bytesMax / 8 * 5
    }

    /// Whether more is held than there is room for, because of ``takeUnchecked(_:_:)``.
    func isOverLimit(_ kind: Kind) -> Bool {
        let share = share(kind)
        return share.used.load(ordering: .relaxed) > share.bytesMax
    }

    // MARK: For metrics

    /// Bytes counted now.
    public func usedBytes(_ kind: Kind) -> Int { share(kind).used.load(ordering: .relaxed) }
    public func bytesMax(_ kind: Kind) -> Int { share(kind).bytesMax }
    /// How often there was no room.
    public func rejections(_ kind: Kind) -> Int { share(kind).rejections.load(ordering: .relaxed) }
}

/// A part of a budget. It is released when the object is destroyed, and so exactly once.
public final class MemoryReservation: Sendable {
    private let budget: MemoryBudget
    private let kind: MemoryBudget.Kind
    private let bytes: Atomic<Int>

    /// `nil` when there is no room.
    public init?(_ bytes: Int, _ kind: MemoryBudget.Kind, of budget: MemoryBudget) {
        guard budget.take(bytes, kind, isLarge: bytes > MemoryAccount.smallBytesMax) else { return nil }
        self.budget = budget
        self.kind = kind
        self.bytes = Atomic(bytes)
    }

    deinit {
        budget.release(bytes.load(ordering: .relaxed), kind)
    }

    /// Releases what is above `count`; never takes more.
    public func shrink(to count: Int) {
        var current = bytes.load(ordering: .relaxed)
        while count < current {
            let (done, now) = bytes.compareExchange(expected: current, desired: count, ordering: .relaxed)
            if done { return budget.release(current - count, kind) }
            current = now
        }
    }
}

extension Status {
    /// Fails a call for which there is no memory; the caller should retry a little later.
    package static let outOfMemory = Status(
        .resourceExhausted, "the service holds as many bytes for its callers as it may; try again in 1 s",
        metadata: ["retry-after": "1"])
}
