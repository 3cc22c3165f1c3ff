import ArgumentParser
import NIOPosix

/// Sends a planned load through a running gateway, and reports what became of it.
@main
struct LoadGenerator: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load-generator",
        abstract: "Sends sign-ups, log-ins, bookings and listings at a fixed rate, whatever the answers, and reports.",
        discussion: """
            Each request has its moment before the run begins, and its latency counts from that moment: a system that \
            stalls does not get fewer requests, and the wait shows. Ctrl-C ends the load and writes the report of what \
            there is.
            """)

    @Option(help: "The gateway.")
    var url = "http://127.0.0.1:8080"

    @Option(help: ArgumentHelp("Requests a second.", valueName: "number"))
    var rate = 100.0

    @Option(help: ArgumentHelp("How long.", valueName: "time"))
    var duration = Span(seconds: 30)

    @Option(help: ArgumentHelp("In place of rate and duration: 30s@200,60s@800,30s@200", valueName: "list"))
    var phases: Phases?

    @Option(help: ArgumentHelp("How often each kind comes.", valueName: "list"))
    var mix = Mix.standard

    @Option(help: "constant: evenly spaced, each stretch with its share of each kind. poisson: at random.")
    var arrivals = Arrivals.constant

    @Option(help: "Of what is random.")
    var seed: UInt64 = 1

    @Option(
        help: ArgumentHelp(
            "Connections at most. Where all are busy a request waits for one, until its time is up.",
            valueName: "number"))
    var connections = 2_000

    @Option(help: ArgumentHelp("A request without an answer for so long has failed.", valueName: "time"))
    var timeout = Span(seconds: 5)

    @Option(help: ArgumentHelp("Accounts made before the load, which log in, book and list.", valueName: "number"))
    var users = 8

    @Option(
        help: ArgumentHelp("Consignments that a listing asks for, and that are booked before.", valueName: "number"))
    var pageSize = 10

    @Flag(help: "Each booking carries an idempotency key of its own.")
    var keys = false

    @Option(parsing: .upToNextOption, help: ArgumentHelp("Processes to watch: 1234=gateway", valueName: "pid=name"))
    var watch: [WatchedProcess] = []

    @Option(help: ArgumentHelp("Writes the report there as JSON.", valueName: "file"))
    var json: String?

    @Option(help: ArgumentHelp("Writes a plot there, as SVG.", valueName: "file"))
    var plot: String?

    @Flag(help: "Shows no line each second.")
    var quiet = false

    @Flag(help: "Loads another machine than this. Have its owner's leave.")
    var allowRemote = false

    @OptionGroup(title: "Finding the capacity")
    var search: SearchOptions

    func validate() throws {
        guard rate > 0, rate <= Phase.rateMax else {
            throw ValidationError("--rate: \(rate) is not above 0 and at most \(Int(Phase.rateMax))")
        }
        try Self.check("--connections", connections, 1...20_000)
        try Self.check("--users", users, 1...1_000)
        try Self.check("--page-size", pageSize, 1...1_000)
        if Phases([Phase(span: duration, rate: rate)]) == nil {
            throw ValidationError("--duration: more than \(Phases.requestsMax) requests in one run")
        }
    }

    private static func check(_ flag: String, _ value: Int, _ range: ClosedRange<Int>) throws {
        guard range.contains(value) else { throw ValidationError("\(flag): \(value) is not in \(range)") }
    }

    func run() async throws {
        do {
            try await LoadRun(self).run()
        } catch let error as UsageError {
            Output.error("load-generator: \(error)")
            throw ExitCode(1)
        }
    }
}

/// How the highest rate is looked for that the system keeps up with.
struct SearchOptions: ParsableArguments {
    @Flag(help: "Doubles the rate until the system falls behind, then halves the gap.")
    var findCapacity = false

    @Option(help: ArgumentHelp("Each step; the first takes three times as long.", valueName: "time"))
    var step = Span(seconds: 5)

    @Option(
        help: ArgumentHelp(
            "Requests a second of the first step, which shows the system unloaded.", valueName: "number"))
    var startRate = 50.0

    @Option(
        help: ArgumentHelp("Highest p99 of the accepted at which a rate counts as held.", valueName: "time"))
    var latencyBound = Span(seconds: 0.25)

    func validate() throws {
        guard startRate >= 1, startRate <= Phase.rateMax else {
            throw ValidationError("--start-rate: \(startRate) is not from 1 to \(Int(Phase.rateMax))")
        }
    }
}
