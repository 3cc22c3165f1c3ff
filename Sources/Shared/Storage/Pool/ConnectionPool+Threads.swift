import Logging
import NIOCore
import RPC

// What the pool's threads do. Everything here blocks.
extension ConnectionPool {
    /// A worker's loop: connect, serve until the connection is lost, connect again; until the pool stops.
    func work(_ index: Int) {
        while let connection = connectPatiently(index) {
            let error = serve(connection, index)
            connection.close()
            guard let error else { break }
            logger.warning("lost a connection to the store", metadata: metadata(error))
        }
        monitor.withLock { $0.state.stopped(index) }
        monitor.broadcast(PoolCondition.supervisor)
    }

    /// - Returns: `nil` when the pool stops.
    private func connectPatiently(_ index: Int) -> Connection? {
        while true {
            let step: PoolState<PoolEntry>.WorkerStep = monitor.wait(on: PoolCondition.retry) { guarded in
                let step = guarded.state.retry(index, now: .now())
                if case .waitUntil(let instant) = step { return .waitUntil(instant) }
                return .done(step)
            }
            if step == .stop { return nil }
            do {
                let connection = try connect()
                let isFirst = monitor.withLock { guarded in
                    guarded.state.connected(index)
                    return guarded.state.readyCount == 1
                }
                if isFirst { logger.debug("connected to the store", metadata: ["pool": "\(configuration.name)"]) }
                return connection
            } catch {
                let error = StorageError(wrapping: error)
                let random = Double.random(in: 0...1)
                monitor.withLock { $0.state.connectFailed(index, error, now: .now(), random: random) }
                monitor.signal(PoolCondition.supervisor)
                logger.debug("could not connect to the store", metadata: metadata(error))
            }
        }
    }

    /// Runs calls until the connection is lost or the pool stops.
    ///
    /// - Returns: why the connection was lost; `nil` when the pool stops.
    private func serve(_ connection: Connection, _ index: Int) -> StorageError? {
        var batch: [PoolEntry] = []
        batch.reserveCapacity(configuration.batchSizeMax)
        var finished = 0
        var took: Int64 = 0
        while true {
            switch nextStep(index, finished: finished, took: took, into: &batch) {
            case .run:
                let began = NIODeadline.now()
                shedLate(&batch, now: began)
                guard !batch.isEmpty else {
                    finished = 0
                    continue
                }
                let lost = run(batch, on: connection, now: began)
                if let lost {
                    recordLoss(index, lost.error, unstarted: batch[lost.begun...], finished: lost.begun)
                    return lost.error
                }
                finished = batch.count
                took = (NIODeadline.now() - began).nanoseconds
                batch.removeAll(keepingCapacity: true)
            case .ping:
                finished = 0
                do {
                    try connection.ping()
                } catch {
                    let error = StorageError(wrapping: error)
                    recordLoss(index, error, unstarted: [], finished: 0)
                    return error
                }
            case .stop: return nil
            case .wait, .waitUntil: break
            }
        }
    }

    /// Removes and fails calls that have waited for longer than ``PoolConfiguration/waitMax``.
    private func shedLate(_ batch: inout [PoolEntry], now: NIODeadline) {
        guard let waitMax else { return }
        let late = batch.filter { now - $0.queuedAt > waitMax }
        guard !late.isEmpty else { return }
        batch.removeAll { now - $0.queuedAt > waitMax }
        var error = StorageError(.overloaded, "")
        monitor.withLock { guarded in
            for _ in late { error = guarded.state.shed("calls wait for too long") }
            guarded.state.discarded(late.count)
        }
        for entry in late { entry.job.fail(error) }
        logOverload(error)
    }

    private func nextStep(
        _ index: Int, finished: Int, took nanoseconds: Int64, into batch: inout [PoolEntry]
    ) -> PoolState<PoolEntry>.WorkerStep {
        let pingAt = configuration.pingInterval.map { NIODeadline.now() + TimeAmount($0) }
        var finished = finished
        return monitor.wait(on: PoolCondition.work) { guarded in
            guarded.state.ran(finished, nanoseconds: nanoseconds)
            let step = guarded.state.next(
                index, finished: finished, pingAt: pingAt, now: NIODeadline.now, into: &batch)
            finished = 0
            if step == .run {
                let now = NIODeadline.now()
                for entry in batch { guarded.waits.add(now - entry.queuedAt) }
            }
            switch step {
            case .wait: return .wait
            case .waitUntil(let instant): return .waitUntil(instant)
            case .run, .ping, .stop: return .done(step)
            }
        }
    }

    /// Runs a batch and answers its callers.
    ///
    /// - Returns: when the connection was lost: the error, and how many calls had begun and were answered.
    private func run(
        _ batch: [PoolEntry], on connection: Connection, now: NIODeadline
    ) -> (error: StorageError, begun: Int)? {
        var begun = 0
        var lost: StorageError?
        do {
            try connection.runBatch {
                for entry in batch {
                    begun += 1
                    let error = entry.job.execute(connection, now: now) as? StorageError
                    if let error, error.isUnexpected {
                        logger.error("a call to the store failed", metadata: metadata(error))
                    }
                    if let error, error.kind == .connectionLost {
                        lost = error
                        return
                    }
                    guard connection.isUsable else {
                        lost = StorageError(.connectionLost, error?.message ?? "a call left its connection unusable")
                        return
                    }
                }
            }
            for entry in batch[..<begun] { entry.job.complete() }
        } catch {
            // The shared transaction is gone, and with it what every call of the batch did.
            let error = StorageError(wrapping: error)
            logger.error("a batch of calls to the store failed", metadata: metadata(error))
            begun = batch.count
            for entry in batch { entry.job.fail(error) }
            if error.kind == .connectionLost { lost = error }
        }
        return lost.map { ($0, begun) }
    }

    private func recordLoss(_ index: Int, _ error: StorageError, unstarted: ArraySlice<PoolEntry>, finished: Int) {
        let overflow = monitor.withLock { guarded in
            guarded.state.lost(index, error, finished: finished, now: .now())
            return guarded.state.requeue(unstarted)
        }
        for entry in overflow { entry.job.fail(error) }
        // Another worker may be idle, and the supervisor must fail the calls if none is.
        monitor.broadcast(PoolCondition.work)
        monitor.signal(PoolCondition.supervisor)
    }

    /// The supervisor's loop: fails the calls that no worker will serve in time, and at the end joins the workers.
    func supervise(_ workers: [PoolThread]) {
        loop: while true {
            let step: PoolState<PoolEntry>.SupervisorStep = monitor.wait(on: PoolCondition.supervisor) { guarded in
                let step = guarded.state.supervise(now: .now())
                switch step {
                case .wait: return .wait
                case .waitUntil(let instant): return .waitUntil(instant)
                case .fail, .stop: return .done(step)
                }
            }
            switch step {
            case .fail(let entries, let error): for entry in entries { entry.job.fail(error) }
            case .stop: break loop
            case .wait, .waitUntil: continue
            }
        }
        for worker in workers { worker.join() }
        let waiters = monitor.withLock { guarded in
            guarded.isJoined = true
            let waiters = guarded.shutdownWaiters
            guarded.shutdownWaiters = []
            return waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private func metadata(_ error: StorageError) -> Logger.Metadata {
        ["pool": "\(configuration.name)", "error": "\(error.message)"]
    }
}

extension StorageError {
    /// Any error of a driver as one of ours. A foreign one is taken as it is, of kind `.other`.
    init(wrapping error: any Error) {
        self = error as? StorageError ?? StorageError(.other, "\(error)")
    }
}
