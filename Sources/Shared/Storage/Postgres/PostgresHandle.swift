import CPostgres
import Glibc
import RPC
import Storage

/// The one owner of a `PGconn`, in libpq's nonblocking mode: whatever the server does, no function here waits beyond
/// the deadline that it is given. Only looking up a host's name, which libpq leaves to the system, is not bounded by it.
///
/// What did not end as it should leaves the handle ``isBroken``: nothing can be done with it then but to free it, which
/// closes the connection. The server notices that (see ``PostgresConnection``) and gives up what it was doing.
final class PostgresHandle {
    /// TLS keeps bytes back that `poll` does not tell of, so where it is used libpq is asked at least this often.
    private static let tlsLookMilliseconds: Int32 = 20

    private let connection: OpaquePointer
    private(set) var isBroken = false

    /// Connects and logs in. Blocks until `deadline` at most.
    ///
    /// - Throws: ``StorageError`` of kind `.unusable`, `.accessDenied` or `.connectionLost`.
    init(_ options: [String: String], until deadline: Deadline) throws(StorageError) {
        guard let connection = Self.start(options) else {
            throw StorageError(.connectionLost, "no memory for a connection to PostgreSQL")
        }
        self.connection = connection
        // From here on `deinit` frees it, also when this throws. Without a receiver libpq prints notices.
        PQsetNoticeReceiver(connection, { _, _ in }, nil)
        // So that errors of the login come with their SQLSTATE.
        PQsetErrorVerbosity(connection, PQERRORS_VERBOSE)
        try login(until: deadline)
        PQsetErrorVerbosity(connection, PQERRORS_DEFAULT)
        guard PQsetnonblocking(connection, 1) == 0 else { throw lost("it can't be made nonblocking") }
    }

    deinit {
        PQfinish(connection)
    }

    private static func start(_ options: [String: String]) -> OpaquePointer? {
        let keywords = options.keys.map { strdup($0) }
        let values = options.values.map { strdup($0) }
        defer { (keywords + values).forEach { free($0) } }
        let keywordPointers = keywords.map { UnsafePointer($0) } + [nil]
        let valuePointers = values.map { UnsafePointer($0) } + [nil]
        return PQconnectStartParams(keywordPointers, valuePointers, 0)
    }

    private func login(until deadline: Deadline) throws(StorageError) {
        // Source: https://www.postgresql.org/docs/15/libpq-connect.html#LIBPQ-PQCONNECTSTARTPARAMS
        var state = PQstatus(connection) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING
        while state != PGRES_POLLING_OK {
            if state == PGRES_POLLING_FAILED {
                isBroken = true
                throw StorageError(
                    postgresConnecting: String(cString: PQerrorMessage(connection)),
                    needsPassword: PQconnectionNeedsPassword(connection) != 0)
            }
            guard wait(for: state == PGRES_POLLING_WRITING ? POLLOUT : POLLIN, until: deadline) else {
                throw lost("the server did not let us in within the time to connect")
            }
            state = PQconnectPoll(connection)
        }
    }

    var isInTransaction: Bool { PQtransactionStatus(connection) != PQTRANS_IDLE }

    // MARK: Statements

    /// Runs SQL without parameters; several statements are allowed, and the last one's answer counts.
    func run(_ sql: String, until deadline: Deadline) throws(StorageError) -> PostgresResult {
        try answer(until: deadline) { PQsendQuery(connection, sql) }
    }

    func prepare(_ query: PostgresQuery, types: [Oid], until deadline: Deadline) throws(StorageError) {
        _ = try answer(until: deadline) {
            PQsendPrepare(connection, query.name, query.sql, Int32(clamping: types.count), types)
        }
    }

    func runPrepared(
        _ query: PostgresQuery, _ parameters: PostgresParameters, until deadline: Deadline
    ) throws(StorageError) -> PostgresResult {
        try answer(until: deadline) {
            parameters.withPointers { count, values, lengths, formats in
                PQsendQueryPrepared(
                    connection, query.name, count, values, lengths, formats, PostgresParameters.binary)
            }
        }
    }

    /// Parses and runs at once, and keeps no statement.
    func runUnprepared(
        _ query: PostgresQuery, _ parameters: PostgresParameters, until deadline: Deadline
    ) throws(StorageError) -> PostgresResult {
        try answer(until: deadline) {
            parameters.withPointers { count, values, lengths, formats in
                PQsendQueryParams(
                    connection, query.sql, count, parameters.types, values, lengths, formats,
                    PostgresParameters.binary)
            }
        }
    }

    private func answer(until deadline: Deadline, _ send: () -> Int32) throws(StorageError) -> PostgresResult {
        guard !isBroken else { throw StorageError(.connectionLost, "the connection was given up") }
        guard !deadline.isExpired else { throw StorageError(.timeout, "the call's time was over before it was sent") }
        guard send() == 1 else { throw lost(errorMessage) }
        try flush(until: deadline)
        var last: PostgresResult?
        while let result = try nextResult(until: deadline) {
            switch result.status {
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH: throw lost("COPY is not for here")
            default: break
            }
            // After an error nothing else comes that matters.
            if last?.isError != true { last = result }
        }
        guard let last else { throw lost("the server gave no answer") }
        guard !last.isError else {
            let isLost = PQstatus(connection) == CONNECTION_BAD
            if isLost { isBroken = true }
            throw StorageError(postgres: last, isConnectionLost: isLost)
        }
        return last
    }

    private func flush(until deadline: Deadline) throws(StorageError) {
        while true {
            switch PQflush(connection) {
            case 0: return
            case 1: break
            default: throw serverFailure()
            }
            // A server that sends while it does not read would wait for us to read.
            guard wait(for: POLLIN | POLLOUT, until: deadline) else { throw timeoutError() }
            guard PQconsumeInput(connection) == 1 else { throw serverFailure() }
        }
    }

    private func nextResult(until deadline: Deadline) throws(StorageError) -> PostgresResult? {
        while PQisBusy(connection) == 1 {
            guard wait(for: POLLIN, until: deadline) else { throw timeoutError() }
            guard PQconsumeInput(connection) == 1 else { throw serverFailure() }
        }
        return PQgetResult(connection).map { PostgresResult($0) }
    }

    // MARK: Notifications

    /// Waits for a notification on a channel that this connection listens to, and takes all that are there.
    ///
    /// - Returns: false when none came until `deadline`.
    func waitForNotification(until deadline: Deadline) throws(StorageError) -> Bool {
        guard !isBroken else { throw StorageError(.connectionLost, "the connection was given up") }
        while true {
            guard PQconsumeInput(connection) == 1 else { throw serverFailure() }
            var isFound = false
            while let notification = PQnotifies(connection) {
                isFound = true
                PQfreemem(notification)
            }
            if isFound { return true }
            guard wait(for: POLLIN, until: deadline) else { return false }
        }
    }

    // MARK: Waiting

    /// - Returns: false when the time was over first.
    private func wait(for events: Int32, until deadline: Deadline) -> Bool {
        let isTLS = PQsslInUse(connection) != 0
        while true {
            var descriptor = pollfd(fd: PQsocket(connection), events: Int16(truncatingIfNeeded: events), revents: 0)
            let left = deadline.isNever ? -1 : Self.milliseconds(deadline.remaining)
            let isShort = isTLS && (left < 0 || left > Self.tlsLookMilliseconds)
            let count = poll(&descriptor, 1, isShort ? Self.tlsLookMilliseconds : left)
            if count > 0 || (count == 0 && isShort) { return true }
            // What else goes wrong with the socket libpq finds out and says.
            if count < 0, errno != EINTR { return true }
            if deadline.isExpired { return false }
        }
    }

    /// Rounded up, so that a wait does not end early and spin.
    private static func milliseconds(_ duration: Duration) -> Int32 {
        let parts = duration.components
        guard parts.seconds < Int64(Int32.max / 1_000) else { return .max }
        return Int32(parts.seconds * 1_000 + (parts.attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }

    // MARK: Errors

    /// The first line of libpq's last error; the others guess at reasons.
    private var errorMessage: String {
        let text = String(cString: PQerrorMessage(connection))
        return text.split(separator: "\n").first.map(String.init) ?? "no reason given"
    }

    private func lost(_ reason: String) -> StorageError {
        isBroken = true
        return StorageError(.connectionLost, "the connection to PostgreSQL is lost: \(reason)")
    }

    /// The error of a failed connection: the server's own, if it sent one before it closed the connection.
    private func serverFailure() -> StorageError {
        let reason = errorMessage
        isBroken = true
        if PQstatus(connection) == CONNECTION_BAD, let result = PQgetResult(connection).map({ PostgresResult($0) }),
            result.isError, result.errorField("C") != nil
        {
            return StorageError(postgres: result, isConnectionLost: true)
        }
        return lost(reason)
    }

    /// The error of a call that was not answered before its deadline; the connection can't be used any more.
    private func timeoutError() -> StorageError {
        isBroken = true
        return StorageError(.timeout, "PostgreSQL did not answer before the call's time was over")
    }
}
