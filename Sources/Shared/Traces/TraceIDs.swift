import Synchronization

/// Makes ids of traces and spans: cheap, never the same twice in a process, and hardly in two.
///
/// SplitMix64 over a counter that begins at random: no lock, and no system call after the first. Ids need to be spread,
/// for samplers, and different; nobody is kept from guessing them.
enum TraceIDs {
    /// Odd, so that the counter meets every number before it meets one again.
    private static let step: UInt64 = 0x9e37_79b9_7f4a_7c15
    private static let counter = Atomic<UInt64>(.random(in: 0...UInt64.max))
    /// The part of trace ids that counts for other processes only.
    private static let salt = UInt64.random(in: 0...UInt64.max)

    /// Never 0.
    static func next() -> UInt64 {
        while true {
            let id = mix(counter.wrappingAdd(step, ordering: .relaxed).newValue)
            if id != 0 { return id }
        }
    }

    /// A trace that begins here, and its first span.
    static func root(isSampled: (_ traceLow: UInt64) -> Bool) -> TraceParent {
        let low = next()
        return TraceParent(traceHigh: mix(low ^ salt), traceLow: low, spanID: next(), isSampled: isSampled(low))
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        var value = value
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
