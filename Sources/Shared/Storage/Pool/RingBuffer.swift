/// A first-in, first-out queue that holds at most `capacity` elements and never grows.
struct RingBuffer<Element> {
    private var slots: ContiguousArray<Element?>
    private var head = 0
    private(set) var count = 0

    /// - Parameter capacity: at least 1.
    init(capacity: Int) {
        precondition(capacity > 0, "a queue without room could never take anything")
        slots = ContiguousArray(repeating: nil, count: capacity)
    }

    var capacity: Int { slots.count }
    var isEmpty: Bool { count == 0 }
    var isFull: Bool { count == slots.count }

    /// The caller has checked that there is room.
    mutating func append(_ element: Element) {
        precondition(!isFull, "the caller checks that there is room")
        slots[slot(count)] = element
        count += 1
    }

    /// Puts elements back before all others, in their order; the caller has checked that there is room.
    mutating func prepend(_ elements: some BidirectionalCollection<Element>) {
        precondition(elements.count <= capacity - count, "the caller checks that there is room")
        for element in elements.reversed() {
            head = head == 0 ? slots.count - 1 : head - 1
            slots[head] = element
            count += 1
        }
    }

    mutating func popFirst() -> Element? {
        guard count > 0, let element = slots[head] else { return nil }
        slots[head] = nil
        head = head + 1 == slots.count ? 0 : head + 1
        count -= 1
        return element
    }

    /// Keeps the elements for which `isIncluded` says true, in their order.
    mutating func filter(_ isIncluded: (Element) -> Bool) {
        for _ in 0..<count {
            guard let element = popFirst() else { return }
            if isIncluded(element) { append(element) }
        }
    }

    private func slot(_ offset: Int) -> Int {
        let index = head + offset
        return index < slots.count ? index : index - slots.count
    }
}
