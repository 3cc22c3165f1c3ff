import Glibc

/// Something that can be done any number of times.
typealias Work = (_ count: Int) throws -> Void

/// Our code, and other code that does the same.
struct Comparison {
    let name: String
    let ours: Work
    let reference: Work
}

/// Processor time and allocations of some work, each time that it is done: medians of several rounds.
struct Measurement {
    private var nanosecondsOfRounds: [Double] = []
    private var allocationsOfRounds: [Double] = []

    /// Processor time of this thread.
    var nanoseconds: Double { Self.median(nanosecondsOfRounds) ?? .nan }

    /// `nil` without a counter.
    var allocations: Double? { Self.median(allocationsOfRounds) }

    /// Does the work in one more round.
    mutating func run(_ work: Work, _ operations: Int, _ counter: AllocationCounter?) throws {
        let callsBefore = counter?.calls ?? 0
        let before = Self.processorNanoseconds()
        try work(operations)
        let after = Self.processorNanoseconds()
        let calls = (counter?.calls ?? 0) - callsBefore
        nanosecondsOfRounds.append((after - before) / Double(operations))
        if counter != nil { allocationsOfRounds.append(Double(calls) / Double(operations)) }
    }

    private static func processorNanoseconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }

    /// The value in the middle; the upper one of two. `nil` if there are none.
    private static func median(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : values.sorted()[values.count / 2]
    }
}

/// The allocations of this process, as `Benchmarks/count_malloc.c` counts them.
struct AllocationCounter {
    private let read: @convention(c) () -> UInt64

    /// `nil` where the library is not loaded.
    init?() {
        // Looks in all libraries that are loaded.
        guard let symbol = dlsym(nil, "count_malloc_calls") else { return nil }
        read = unsafeBitCast(symbol, to: (@convention(c) () -> UInt64).self)
    }

    /// Calls of malloc and the like so far.
    var calls: UInt64 { read() }
}

/// What is measured does not do what it should.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
