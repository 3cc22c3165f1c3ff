import Glibc
import RPC
import Storage

/// One connection to PostgreSQL, on one pool thread, with its prepared statements.
///
/// Each statement waits for its answer no longer than until the deadline of the call that it belongs to. When it is over
/// the connection is closed, and the server, which looks every second whether its clients are still there, stops the
/// statement and frees its locks; the pool connects anew. So no cancel request is needed, which libpq sends in a way
/// that can hang.
public final class PostgresConnection: PooledConnection {
    /// How often the server looks, while a statement runs, whether we are still there.
    private static let clientCheckMilliseconds = 1_000
    /// A transaction in which nothing happens for so long belongs to a process that is stopped or stuck.
    private static let idleTransactionMilliseconds = 30_000
    /// For a sign of life, and for the settings of a new connection.
    private static let pingTimeout: Duration = .seconds(3)
    /// For taking a transaction back after its call's time was over.
    private static let rollbackGrace: Duration = .milliseconds(100)
    /// How often a call is tried that others stood in the way of, the first time included.
    static let attemptsMax = 10
    private static let retryPause = Backoff(
        first: .milliseconds(2), factor: 2, longest: .milliseconds(100), jitter: 0.5, lengthens: false)

    private let handle: PostgresHandle
    /// Names it in traces.
    private let database: String
    private var isPrepared: [Bool] = []
    /// Of the call that runs now.
    private var deadline = Deadline.never
    private var isInTransaction = false
    /// That a statement of the transaction was refused because of other transactions; whatever the call made of it.
    private var conflict: StorageError?

    /// Connects to the first server of the address that lets us in. Blocks.
    ///
    /// - Throws: ``StorageError`` of kind `.unusable`, `.accessDenied` or `.connectionLost`.
    init(_ address: PostgresAddress, application: String) throws(StorageError) {
        handle = try Self.connect(address, application: application)
        database = address.database
        let end = Deadline.after(Self.pingTimeout)
        _ = try handle.run(
            "SET idle_in_transaction_session_timeout = \(Self.idleTransactionMilliseconds)", until: end)
        do throws(StorageError) {
            _ = try handle.run("SET client_connection_check_interval = \(Self.clientCheckMilliseconds)", until: end)
        } catch {
            // Servers before 14, and on some systems, can't look; they find out when they next write to us.
            if handle.isBroken { throw error }
        }
    }

    private static func connect(
        _ address: PostgresAddress, application: String
    ) throws(StorageError) -> PostgresHandle {
        var failure = StorageError(.connectionLost, "the address names no server")
        for target in address.targets {
            var options = address.options
            options["host"] = target.host.isEmpty ? nil : target.host
            options["hostaddr"] = target.hostAddress
            options["port"] = target.port
            options["application_name"] = options["application_name"] ?? application
            do throws(StorageError) {
                return try PostgresHandle(options, until: .after(address.connectTimeout))
            } catch {
                failure = error
            }
        }
        throw failure
    }

    /// Runs `body` with the deadline of its call.
    func call<Value>(until deadline: Deadline, _ body: (PostgresConnection) throws -> Value) throws -> Value {
        self.deadline = deadline
        return try body(self)
    }

    // MARK: Statements

    /// Runs a statement.
    ///
    /// - Returns: how many rows it inserted, updated, deleted or answered.
    @discardableResult
    public func run(_ query: PostgresQuery, _ values: PostgresValue...) throws(StorageError) -> Int {
        try answer(query, values).affectedCount
    }

    /// What `decode` makes of the first row; `nil` when there is none.
    public func first<Value>(
        _ query: PostgresQuery, _ values: PostgresValue...,
        decode: (PostgresRow) throws(StorageError) -> Value
    ) throws(StorageError) -> Value? {
        let result = try answer(query, values)
        return result.rowCount > 0 ? try result.row(0, decode) : nil
    }

    /// What `decode` makes of each row. All are in memory at once: give the query a LIMIT.
    public func all<Value>(
        _ query: PostgresQuery, _ values: PostgresValue...,
        decode: (PostgresRow) throws(StorageError) -> Value
    ) throws(StorageError) -> [Value] {
        let result = try answer(query, values)
        var rows: [Value] = []
        rows.reserveCapacity(Int(result.rowCount))
        for index in 0..<result.rowCount { rows.append(try result.row(index, decode)) }
        return rows
    }

    /// Runs SQL that is not kept and takes no parameters, for schemas. It may hold several statements, which are one
    /// transaction where it does not say otherwise.
    public func script(_ sql: String) throws(StorageError) {
        _ = try recordingConflict { () throws(StorageError) in try handle.run(sql, until: deadline) }
    }

    private func answer(
        _ query: PostgresQuery, _ values: [PostgresValue]
    ) throws(StorageError) -> PostgresResult {
        let parameters = PostgresParameters(values)
        if isInTransaction { return try recordingConflict { () throws(StorageError) in try send(query, parameters) } }
        // Alone, a statement is a transaction: one that was refused has changed nothing, and is tried again.
        var attempt = 1
        while true {
            do throws(StorageError) {
                return try send(query, parameters)
            } catch {
                guard error.kind == .busy, attempt < Self.attemptsMax, pause(attempt) else { throw error }
            }
            attempt += 1
        }
    }

    private func send(
        _ query: PostgresQuery, _ parameters: PostgresParameters
    ) throws(StorageError) -> PostgresResult {
        try StoreOperation.run(query.operation.on(database)) { () throws(StorageError) in
            try sendNow(query, parameters)
        }
    }

    private func sendNow(
        _ query: PostgresQuery, _ parameters: PostgresParameters
    ) throws(StorageError) -> PostgresResult {
        guard query.index < PostgresQuery.preparedCountMax else {
            return try handle.runUnprepared(query, parameters, until: deadline)
        }
        while isPrepared.count <= query.index { isPrepared.append(false) }
        if !isPrepared[query.index] {
            try handle.prepare(query, types: parameters.types, until: deadline)
            isPrepared[query.index] = true
        }
        return try handle.runPrepared(query, parameters, until: deadline)
    }

    /// Runs `body` and keeps the error of a conflict with other transactions.
    private func recordingConflict<Value>(
        _ body: () throws(StorageError) -> Value
    ) throws(StorageError) -> Value {
        do throws(StorageError) {
            return try body()
        } catch {
            if error.kind == .busy { conflict = error }
            throw error
        }
    }

    // MARK: Transactions

    /// Runs `body` as one transaction: when it throws, it has changed nothing.
    ///
    /// - Parameter body: run again, from the beginning, when the server took the transaction back because of others
    ///   (serialization failure, deadlock); so it must do nothing but run statements.
    /// - Throws: what `body` throws; ``StorageError`` of kind `.busy` when others stood in the way too often.
    func transaction<Value>(_ body: (PostgresConnection) throws -> Value) throws -> Value {
        var attempt = 1
        while true {
            do {
                return try tryTransaction(body)
            } catch {
                guard isUsable, let conflict else { throw error }
                guard attempt < Self.attemptsMax, pause(attempt) else { throw conflict }
            }
            attempt += 1
        }
    }

    private func tryTransaction<Value>(_ body: (PostgresConnection) throws -> Value) throws -> Value {
        conflict = nil
        try StoreOperation.run(.begin.on(database)) { () throws(StorageError) in
            // Each statement sees what was committed before it began.
            _ = try handle.run("BEGIN ISOLATION LEVEL READ COMMITTED", until: deadline)
        }
        isInTransaction = true
        defer { isInTransaction = false }
        do {
            let value = try body(self)
            let tag = try StoreOperation.run(.commit.on(database)) { () throws(StorageError) in
                try recordingConflict { () throws(StorageError) in try handle.run("COMMIT", until: deadline).command }
            }
            // A transaction in which a statement failed is rolled back, whoever asks for what.
            guard tag == "COMMIT" else { throw StorageError(.other, "a transaction went on after an error") }
            return value
        } catch {
            if isUsable, handle.isInTransaction { rollBack() }
            throw error
        }
    }

    private func rollBack() {
        let end = max(deadline, .after(Self.rollbackGrace))
        do throws(StorageError) {
            try StoreOperation.run(.rollback.on(database)) { () throws(StorageError) in
                _ = try handle.run("ROLLBACK", until: end)
            }
        } catch {
            // The connection is of no use then; closing it rolls back as well.
            isStuck = true
        }
    }

    /// A transaction could not be ended.
    private var isStuck = false

    /// Waits before the next attempt.
    ///
    /// - Returns: false when there is no time for it.
    private func pause(_ attempt: Int) -> Bool {
        let duration = Self.retryPause.wait(after: attempt, random: .random(in: 0..<1))
        guard deadline.isNever || deadline.remaining > duration else { return false }
        poll(nil, 0, Int32(duration / .milliseconds(1)) + 1)
        return true
    }

    // MARK: Life

    public var isUsable: Bool { !handle.isBroken && !isStuck }

    public func ping() throws {
        deadline = .after(Self.pingTimeout)
        do throws(StorageError) {
            _ = try handle.run("", until: deadline)
        } catch {
            throw StorageError(.connectionLost, error.message)
        }
    }

    /// Hears of notifications from now on; for ``PostgresListener``.
    func listen(_ channel: String) throws(StorageError) {
        let name =
            "\"" + channel.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
        _ = try handle.run("LISTEN \(name)", until: .after(Self.pingTimeout))
    }

    func waitForNotification(until deadline: Deadline) throws(StorageError) -> Bool {
        try handle.waitForNotification(until: deadline)
    }
}
