extension Report {
    /// For people: a table for each phase, and what follows from them.
    var text: String {
        var lines: [String] = []
        if phases.count > 1 {
            for phase in phases { lines += phase.table + [""] }
        }
        lines += total.table + [""]
        lines += capacity?.lines ?? []
        lines += recovery.flatMap(\.lines)
        lines += processes.flatMap(\.lines)
        lines += generator.lines
        lines.append("machine: \(machine); begun \(began)")
        lines.append(
            "load: \(url), mix \(mix), \(arrivals.rawValue) arrivals, seed \(seed), time-out \(Text.number(timeoutSeconds)) s"
        )
        if isInterrupted { lines.append("interrupted: the figures are of what was sent until then") }
        return lines.joined(separator: "\n")
    }
}

extension PhaseReport {
    private static let columns: [(String, Int)] = [
        ("offered", 9), ("goodput/s", 10), ("accepted", 9), ("refused", 9), ("failed", 8),
        ("p50", 8), ("p90", 8), ("p99", 8), ("p99.9", 8), ("max", 8), ("p50 sent", 9), ("p99 sent", 9),
    ]

    var table: [String] {
        let title =
            "\(name): \(Text.number(seconds)) s, \(Text.number(all.offeredRate))/s offered; milliseconds of the accepted"
        let head = Text.left("", 9) + Self.columns.map { Text.right($0.0, $0.1) }.joined()
        var rows = Kind.allCases.compactMap { kind in kinds[kind.rawValue].map { Self.row(kind.rawValue, $0) } }
        rows.append(Self.row("all", all))
        return [title, head] + rows + all.remarks
    }

    private static func row(_ name: String, _ report: KindReport) -> String {
        let latency = report.latency
        let cells = [
            "\(report.offered)", Text.number(report.goodput), "\(report.accepted)", "\(report.refused)",
            "\(report.failed)",
        ]
        let times = [
            latency?.p50Milliseconds, latency?.p90Milliseconds, latency?.p99Milliseconds, latency?.p999Milliseconds,
            latency?.maxMilliseconds, report.service?.p50Milliseconds, report.service?.p99Milliseconds,
        ]
        let all = cells + times.map { Text.milliseconds($0) }
        return Text.left(name, 9) + zip(all, columns).map { Text.right($0, $1.1) }.joined()
    }
}

extension KindReport {
    /// What did not go well, in words.
    fileprivate var remarks: [String] {
        var lines: [String] = []
        if refused > 0 {
            lines.append(
                "refused with 429: \(refused), of them with Retry-After \(refusedWithRetryAfter); p50 "
                    + "\(Text.milliseconds(refusal?.p50Milliseconds)) ms, p99 \(Text.milliseconds(refusal?.p99Milliseconds)) ms"
            )
        }
        if failed > 0 {
            let answered = statuses.sorted { $0.key < $1.key }.map { "status \($0.key): \($0.value)" }
            let others = [("connection lost", lost), ("timed out", timedOut), ("not sent", notSent)]
                .filter { $0.1 > 0 }.map { "\($0.0): \($0.1)" }
            lines.append("failed: " + (answered + others).joined(separator: ", "))
        }
        return lines
    }
}

extension Recovery {
    fileprivate var lines: [String] {
        parts.map { part in
            let name = part.kind.map { " of \($0.rawValue)" } ?? ""
            let bound =
                "\(Text.percent(Self.acceptedShare)) accepted, p99 at most \(Text.milliseconds(part.boundMilliseconds)) ms"
            let time = part.seconds.map { "\(Text.number($0)) s" } ?? "not within phase \(after)"
            return "recovery\(name) after phase \(overload): \(time) (\(bound))"
        }
    }
}

extension ProcessReport {
    fileprivate var lines: [String] {
        guard !phases.isEmpty else { return ["\(name): not there"] }
        return phases.enumerated().map { index, phase in
            let slope = phase.kibPerMinute.map { ", \(Text.number($0 / 1_024, 2)) MiB a minute" } ?? ""
            return Text.left("\(name), phase \(index + 1):", 26) + "\(Text.number(Double(phase.beginKiB) / 1_024)) to "
                + "\(Text.number(Double(phase.endKiB) / 1_024)) MiB resident\(slope), "
                + "\(Text.percent(phase.processorShare)) of a processor"
        }
    }
}

extension GeneratorReport {
    fileprivate var lines: [String] {
        let own =
            "load generator: \(Text.percent(processorShare)) of a processor; came late by p50 "
            + "\(Text.milliseconds(lagP50Milliseconds)) ms, p99 \(Text.milliseconds(lagP99Milliseconds)) ms, at most "
            + "\(Text.milliseconds(lagMaxMilliseconds)) ms; connections \(connectionsMost) at most, \(connectionsOpened) opened"
        return [own] + warnings.map { "warning: \($0)" }
    }
}
