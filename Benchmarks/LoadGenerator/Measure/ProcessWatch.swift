import ArgumentParser
import Glibc

/// A process whose memory and processor time are watched, as in `--watch 1234=gateway`.
struct WatchedProcess: Equatable, Sendable, ExpressibleByArgument {
    let pid: Int
    let name: String

    init?(argument: String) {
        let words = argument.split(separator: "=", maxSplits: 1)
        guard words.count == 2, let pid = Int(words[0]), pid > 0, words[1].count <= 40 else { return nil }
        self.pid = pid
        name = String(words[1])
    }
}

/// What a process used at some moment.
struct ProcessSample: Codable, Sendable {
    /// Seconds of the plan.
    var second: Double
    var residentKiB: Int
    /// User and system time since its start, in seconds.
    var processorSeconds: Double

    /// Read from `/proc`; `nil` when there is no such process, or no `/proc`.
    init?(pid: Int, second: Double) {
        guard let memory = Self.words("/proc/\(pid)/statm"), memory.count > 1, let pages = Int(memory[1]),
            let times = Self.words("/proc/\(pid)/stat", after: ")"), times.count > 12,
            let user = Double(times[11]), let system = Double(times[12])
        else { return nil }
        self.second = second
        residentKiB = pages * Int(sysconf(Int32(_SC_PAGESIZE))) / 1_024
        processorSeconds = (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// - Parameter mark: what stands before it is left out: a program's name may have blanks.
    private static func words(_ path: String, after mark: Character? = nil) -> [Substring]? {
        guard let text = SmallFile.read(path) else { return nil }
        var rest = text[...]
        if let mark, let index = rest.lastIndex(of: mark) { rest = rest[rest.index(after: index)...] }
        return rest.split(separator: " ")
    }
}

/// Files of the system that are read at once.
enum SmallFile {
    static let bytesMax = 65_536

    static func read(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: bytesMax)
        let count = fread(&bytes, 1, bytesMax, file)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }

    /// Leaves what is there; makes an empty file where there is none.
    static func canWrite(_ path: String) -> Bool {
        guard let file = fopen(path, "a") else { return false }
        return fclose(file) == 0
    }

    /// - Returns: whether all of it was written.
    static func write(_ text: String, to path: String) -> Bool {
        guard let file = fopen(path, "w") else { return false }
        let written = fputs(text, file) >= 0
        return fclose(file) == 0 && written
    }
}

/// What one process used over a run.
struct ProcessSeries: Codable, Sendable {
    var name: String
    var pid: Int
    var samples: [ProcessSample] = []

    init(_ process: WatchedProcess) {
        name = process.name
        pid = process.pid
    }

    mutating func sample(at second: Double) {
        if let sample = ProcessSample(pid: pid, second: second) { samples.append(sample) }
    }

    func samples(in seconds: Range<Double>) -> [ProcessSample] {
        samples.filter { $0.second >= seconds.lowerBound && $0.second <= seconds.upperBound }
    }

    /// The straight line that fits resident memory best, in KiB a minute; `nil` for fewer than three samples.
    static func slope(_ samples: [ProcessSample]) -> Double? {
        guard samples.count > 2 else { return nil }
        let count = Double(samples.count)
        let meanX = samples.reduce(0) { $0 + $1.second } / count
        let meanY = samples.reduce(0) { $0 + Double($1.residentKiB) } / count
        var above = 0.0
        var below = 0.0
        for sample in samples {
            above += (sample.second - meanX) * (Double(sample.residentKiB) - meanY)
            below += (sample.second - meanX) * (sample.second - meanX)
        }
        return below > 0 ? above / below * 60 : nil
    }
}
