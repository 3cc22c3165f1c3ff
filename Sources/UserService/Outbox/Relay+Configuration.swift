extension Relay {
    /// The relay's bounds.
    struct Configuration: Sendable {
        /// Events claimed at once.
        var batchSize = 64
        /// Deliveries at a time.
        var deliveriesMax = 16
        /// For one delivery. A batch that hangs all through takes batchSize / deliveriesMax of these, 20 s.
        var deliveryTimeout: Duration = .seconds(5)
        /// For one question to the store.
        var storeTimeout: Duration = .seconds(5)
        /// How long claimed events are ours: longer than any batch takes, so that no other replica delivers them too.
        /// After a crash they wait for its end.
        var lease: Duration = .seconds(30)
        /// How often to look for events that are due, where nothing wakes us.
        var pollInterval: Duration = .seconds(1)
        /// After the store failed.
        var pause: Duration = .seconds(1)
        /// How often to count what waits, for the gauges.
        var statisticsInterval: Duration = .seconds(5)
        var policy = RelayPolicy()

        /// Of an error text that is kept with an event.
        static let errorBytesMax = 300
    }
}
