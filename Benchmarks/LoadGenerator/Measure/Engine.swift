import Glibc
import NIOCore
import NIOPosix

/// What a run needs to know beside its schedule.
struct RunSettings: Sendable {
    var target: Target
    var connectionsMax: Int
    var timeout: Span
    var accounts: [Account]
    /// Makes the addresses of this run differ from those of others.
    var run: String
    var pageSize: Int
    var hasKeys: Bool
}

/// Carries out a schedule: sends each request at its moment, whatever became of those before. Lives on its event loop.
final class Engine {
    /// Requests sent in one go before answers are looked at again, when it is behind.
    private static let burstMax = 64
    /// How often the calls are looked for whose time is up.
    private static let sweepEvery: TimeAmount = .milliseconds(10)
    /// From the start to the first planned moment.
    private static let headStart: Int64 = 20_000_000

    private let loop: any EventLoop
    private let phases: Phases
    private var schedule: Schedule
    private var next: Arrival?
    private let client: Client
    private let recorder: Recorder
    private let done: EventLoopPromise<RunResult>
    private let processorBegan: Double
    private var phase = 0
    private var cutAt: Int64?

    init(loop: any EventLoop, phases: Phases, schedule: Schedule, settings: RunSettings) {
        self.loop = loop
        self.phases = phases
        self.schedule = schedule
        let recorder = Recorder(phases: phases, began: Client.now() + Self.headStart)
        self.recorder = recorder
        var requests = Requests(
            authority: settings.target.authority, run: settings.run, accounts: settings.accounts,
            pageSize: settings.pageSize, hasKeys: settings.hasKeys)
        client = Client(
            loop: loop, address: settings.target.address, connectionsMax: settings.connectionsMax,
            timeout: settings.timeout.nanoseconds, bytes: { requests.next($0) },
            ended: { recorder.ended($0, $1, $2) })
        done = loop.makePromise(of: RunResult.self)
        processorBegan = Self.processorSeconds()
    }

    /// Begins. The result comes when each request has ended.
    func start() -> EventLoopFuture<RunResult> {
        next = schedule.next()
        pace()
        sweep()
        return done.futureResult
    }

    /// Plans no more: what is under way may end.
    func cut() {
        guard next != nil else { return }
        cutAt = Client.now()
        next = nil
    }

    /// What happened since it was asked last.
    func takeProgress() -> Progress {
        var progress = recorder.takeProgress()
        progress.underWay = client.underWay
        progress.connections = client.connectionCount
        progress.phase = phase
        return progress
    }

    /// Sends what is due, and comes back when the next is.
    private func pace() {
        var sent = 0
        while let arrival = next {
            let planned = recorder.began + arrival.nanoseconds
            let now = Client.now()
            guard planned <= now, sent < Self.burstMax else {
                let at = NIODeadline.uptimeNanoseconds(UInt64(max(planned, now)))
                loop.assumeIsolated().scheduleTask(deadline: at) { self.pace() }
                return
            }
            sent += 1
            phase = arrival.phase
            next = schedule.next()
            let call = Call(planned: planned, kind: arrival.kind, phase: arrival.phase)
            recorder.offered(call)
            // Of each, free connection or not: whoever has no processor finds its connections busy, too.
            recorder.cameLate(now - planned)
            client.submit(call)
        }
    }

    private func sweep() {
        client.sweep(Client.now())
        guard next != nil || client.underWay > 0 else { return finish() }
        loop.assumeIsolated().scheduleTask(in: Self.sweepEvery) { self.sweep() }
    }

    private func finish() {
        client.stop()
        let now = Client.now()
        let seconds = max(Double(now - recorder.began) / 1e9, 0.001)
        let cut = cutAt.map { max(Double($0 - recorder.began) / 1e9, 0) }
        done.succeed(
            RunResult(
                phases: phases, figures: recorder.figures, kindBuckets: recorder.buckets, lag: recorder.lag,
                seconds: seconds, plannedSeconds: min(cut ?? phases.seconds, phases.seconds),
                processorShare: (Self.processorSeconds() - processorBegan) / seconds,
                connectionsMost: client.connectionsMost, connectionsOpened: client.connectionsOpened,
                isInterrupted: cutAt != nil))
    }

    /// User and system time of this process.
    private static func processorSeconds() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }
}
