import Glibc

/// What an HTTP/1.1 request costs to read, and a message to turn from JSON into protobuf and back: processor time and
/// allocations, of our code and of other code that does the same, in turn.
///
///     codec-benchmark [OPERATIONS]
///
/// Each round does everything OPERATIONS times. Allocations are shown where `Benchmarks/count_malloc.c` is loaded.
@main
struct CodecBenchmark {
    private static let operationsDefault = 100_000
    private static let rounds = 5

    static func main() {
        let arguments = CommandLine.arguments
        guard let operations = arguments.count > 1 ? Int(arguments[1]) : operationsDefault, operations > 0 else {
            print("usage: codec-benchmark [OPERATIONS]")
            exit(64)
        }
        do {
            try run(operations)
        } catch {
            print("codec-benchmark: \(error)")
            exit(1)
        }
    }

    private static func run(_ operations: Int) throws {
        let comparisons = [
            RequestHeads.curl(), RequestHeads.browser(), try VesselMessages.request(), try VesselMessages.answer(),
        ]
        for comparison in comparisons {
            // Caches and tables that are made once.
            try comparison.ours(operations / 10 + 1)
            try comparison.reference(operations / 10 + 1)
        }
        let counter = AllocationCounter()
        var ours = comparisons.map { _ in Measurement() }
        var references = ours
        for round in 0..<rounds {
            for (index, comparison) in comparisons.enumerated() {
                // The one that comes first takes turns, as processors grow warm.
                if round % 2 == 1 { try references[index].run(comparison.reference, operations, counter) }
                try ours[index].run(comparison.ours, operations, counter)
                if round % 2 == 0 { try references[index].run(comparison.reference, operations, counter) }
            }
        }
        printRow("", ["ours, ns", "allocations", "reference, ns", "allocations", "ours / reference"])
        for (index, comparison) in comparisons.enumerated() {
            let (our, reference) = (ours[index], references[index])
            printRow(
                comparison.name,
                [
                    decimal(our.nanoseconds, places: 1), decimal(our.allocations, places: 2),
                    decimal(reference.nanoseconds, places: 1), decimal(reference.allocations, places: 2),
                    decimal(our.nanoseconds / reference.nanoseconds, places: 2),
                ])
        }
    }

    // MARK: Text

    private static let nameWidth = 40
    private static let columnWidth = 17

    private static func printRow(_ name: String, _ columns: [String]) {
        var row = name + blanks(nameWidth - name.utf8.count)
        for column in columns { row += blanks(columnWidth - column.utf8.count) + column }
        print(row)
    }

    private static func blanks(_ count: Int) -> String { String(repeating: " ", count: max(0, count)) }

    /// - Parameter value: not negative; `nil` for one that was not measured.
    private static func decimal(_ value: Double?, places: Int) -> String {
        guard let value, value.isFinite else { return "-" }
        let unit = places == 1 ? 10 : 100
        let scaled = Int((value * Double(unit)).rounded())
        let fraction = String(scaled % unit)
        return "\(scaled / unit)." + String(repeating: "0", count: max(0, places - fraction.utf8.count)) + fraction
    }
}
