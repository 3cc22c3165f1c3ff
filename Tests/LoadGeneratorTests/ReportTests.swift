import Foundation
import FoundationXML
import TestSupport
import Testing

@testable import LoadGenerator

@Suite("The report of a load")
struct ReportTests {
    /// Reads XML and notes what it meets.
    private final class Reader: NSObject, XMLParserDelegate {
        var elements: [String: Int] = [:]
        var attributes: Set<String> = []
        /// Of the attributes that say where something is drawn, those whose value is no number.
        var misplaced: [String] = []
        private static let places: Set<String> = ["x", "y", "x1", "y1", "x2", "y2", "width", "height", "d"]
        var isBroken = false

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
            attributes: [String: String]
        ) {
            elements[name, default: 0] += 1
            self.attributes.formUnion(attributes.keys)
            for (key, value) in attributes where Self.places.contains(key) && value != "100%" {
                let numbers = value.split { "ML ".contains($0) }
                if numbers.isEmpty || numbers.contains(where: { Double($0) == nil }) {
                    misplaced.append("\(name) \(key)=\(value)")
                }
            }
        }

        func parser(_ parser: XMLParser, parseErrorOccurred error: any Error) { isBroken = true }
    }

    private func report(_ behaviour: FakeGateway.Behaviour, _ phases: String) async throws -> Report {
        try await FakeGateway.with(behaviour) { gateway in
            let own = try #require(WatchedProcess(argument: "\(ProcessInfo.processInfo.processIdentifier)=<&\">"))
            let (result, processes) = try await load(gateway, phases, watched: [own])
            let options = try LoadGenerator.parse(["--url", gateway.address])
            return Report(result, processes, options, began: Machine.date)
        }
    }

    @Test("the JSON can be read again, and its numbers add up")
    func json() async throws {
        let behaviour = FakeGateway.Behaviour(cost: .milliseconds(5), waitMax: .milliseconds(50))
        let report = try await report(behaviour, "1s@100,1s@400,1s@100")
        let json = try report.json()
        let again = try JSONDecoder().decode(Report.self, from: Data(json.utf8))
        #expect(try again.json() == json)
        #expect(again.phases.count == 3)
        #expect(again.total.all.offered == 600)
        for phase in again.phases + [again.total] {
            let all = phase.all
            #expect(all.accepted + all.refused + all.failed == all.offered)
            #expect(phase.kinds.values.reduce(0) { $0 + $1.accepted } == all.accepted)
        }
        #expect(again.seconds.reduce(0) { $0 + $1.offered } == 600)
        #expect(again.seconds.reduce(0) { $0 + $1.accepted } == again.total.all.accepted)
        #expect(again.tenths.offered.reduce(0, +) == 600)
        #expect(again.recovery.count == 1)
        #expect(again.recovery[0].parts.map(\.kind) == [nil, .booking, .listing])
        #expect(again.processes[0].phases.count == 3)
        let latency = try #require(again.total.all.latency)
        #expect(latency.curve.map { $0[1] } == latency.curve.map { $0[1] }.sorted())
        #expect(latency.maxMilliseconds >= latency.p99Milliseconds)
    }

    @Test("the plot is well-formed, and holds shapes and words only")
    func plot() async throws {
        let behaviour = FakeGateway.Behaviour(
            cost: .milliseconds(5), waitMax: .milliseconds(50), faults: [(every: 9, status: 500)])
        let plot = try await report(behaviour, "1s@100,2s@400,1s@100").plot
        let reader = Reader()
        let parser = XMLParser(data: Data(plot.utf8))
        parser.delegate = reader
        #expect(parser.parse() && !reader.isBroken)
        #expect(Set(reader.elements.keys).isSubset(of: ["svg", "title", "style", "rect", "line", "path", "text"]))
        #expect(!reader.attributes.contains { $0.hasPrefix("on") || $0.contains("href") })
        // What is no number is written as "-".
        #expect(reader.misplaced.isEmpty, "\(reader.misplaced)")
        for word in [
            "offered", "accepted in time", "refused (429)", "failed", "p99", "99.9 %", "Resident memory", "phase 2",
        ] {
            #expect(plot.contains(word), "\(word)")
        }
        #expect(plot.contains("prefers-color-scheme: dark"))
    }

    @Test("a run of which nothing was accepted has a report and a plot, too")
    func nothing() async throws {
        let report = try await report(FakeGateway.Behaviour(faults: [(every: 1, status: 500)]), "1s@50")
        #expect(report.total.all.latency == nil)
        #expect(report.text.contains("status 500: 50"))
        let parser = XMLParser(data: Data(report.plot.utf8))
        #expect(parser.parse())
        #expect(try !report.json().isEmpty)
    }

    @Test("recovery counts from the load's end to the first good second")
    func recovery() {
        func bucket(_ accepted: Int, of offered: Int, _ milliseconds: Double) -> Bucket {
            var bucket = Bucket()
            bucket.offered = offered
            bucket.accepted = accepted
            bucket.latencies = Array(repeating: UInt32(milliseconds * 1_000), count: accepted)
            return bucket
        }
        let slow = Array(repeating: bucket(10, of: 10, 50), count: 7)
        let failing = Array(repeating: bucket(8, of: 10, 2), count: 4)
        let good = Array(repeating: bucket(10, of: 10, 2), count: 15)
        #expect(Recovery.firstGood(good, boundMilliseconds: 5) == 0)
        #expect(Recovery.firstGood(slow + failing + good, boundMilliseconds: 5) == 11)
        #expect(Recovery.firstGood(slow + good.prefix(9), boundMilliseconds: 5) == nil)
        #expect(Recovery.firstGood(good.prefix(5) + failing + good, boundMilliseconds: 5) == 9)
        #expect(Recovery.firstGood([], boundMilliseconds: 5) == nil)
        // One request a second: three of them are looked at.
        let seldom = [bucket(1, of: 1, 50)] + Array(repeating: Bucket(), count: 9)
        let seldomGood = [bucket(1, of: 1, 2)] + Array(repeating: Bucket(), count: 9)
        let sparse = seldom + seldomGood + seldom + seldomGood + seldomGood + seldomGood + seldomGood
        #expect(Recovery.firstGood(sparse, boundMilliseconds: 5) == 21)
    }

    @Test("numbers are written as people read them")
    func numbers() {
        #expect(Text.number(0.05, 1) == "0.1")
        #expect(Text.number(-0.01, 1) == "0")
        #expect(Text.number(1234.5, 0) == "1235")
        #expect(Text.number(2.004, 2) == "2")
        #expect(Text.number(3.04, 2) == "3.04")
        #expect(Text.number(.nan) == "-")
        #expect(Text.number(.infinity) == "-")
        #expect(SVG.escape("<a&\"\u{1}>") == "&lt;a&amp;&quot; &gt;")
    }
}
