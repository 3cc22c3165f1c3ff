import CPostgres
import Storage

/// What the server answered to one statement: the one owner of its `PGresult`.
final class PostgresResult {
    private let result: OpaquePointer

    init(_ result: OpaquePointer) {
        self.result = result
    }

    deinit {
        PQclear(result)
    }

    var status: ExecStatusType { PQresultStatus(result) }

    var isError: Bool {
        switch status {
        case PGRES_FATAL_ERROR, PGRES_BAD_RESPONSE, PGRES_NONFATAL_ERROR, PGRES_PIPELINE_ABORTED: true
        default: false
        }
    }

    var rowCount: Int32 { PQntuples(result) }

    /// Rows that an INSERT, UPDATE or DELETE touched, or that a SELECT answered.
    var affectedCount: Int {
        PQcmdTuples(result).flatMap { Int(String(cString: $0)) } ?? 0
    }

    /// The command's tag, such as `COMMIT`.
    var command: String {
        PQcmdStatus(result).map { String(cString: $0) } ?? ""
    }

    /// A field of an error, such as its SQLSTATE; `nil` where the server sent none.
    func errorField(_ code: UnicodeScalar) -> String? {
        PQresultErrorField(result, Int32(code.value)).map { String(cString: $0) }
    }

    /// Gives row `index`, counted from 0, to `decode`.
    func row<Value>(
        _ index: Int32, _ decode: (PostgresRow) throws(StorageError) -> Value
    ) throws(StorageError) -> Value {
        try decode(PostgresRow(result, index))
    }
}

/// A row of an answer. Valid only inside the closure that it is lent to.
///
/// Columns are counted from 0, and NULL reads as 0, false or empty.
public struct PostgresRow {
    private let result: OpaquePointer
    private let row: Int32

    init(_ result: OpaquePointer, _ row: Int32) {
        self.result = result
        self.row = row
    }

    public func isNull(_ column: Int32) -> Bool {
        PQgetisnull(result, row, column) != 0
    }

    /// A `smallint`, `integer` or `bigint`.
    ///
    /// - Throws: ``StorageError`` for a column of another type.
    public func int64(_ column: Int32) throws(StorageError) -> Int64 {
        let value = bytes(at: column)
        switch (PQftype(result, column), value.count) {
        case (20, 8): return Int64(truncatingIfNeeded: bigEndian(value))
        case (23, 4): return Int64(Int32(truncatingIfNeeded: bigEndian(value)))
        case (21, 2): return Int64(Int16(truncatingIfNeeded: bigEndian(value)))
        case (_, 0): return 0
        default: throw mismatch(column, "an integer")
        }
    }

    /// A `double precision`.
    ///
    /// - Throws: ``StorageError`` for a column of another type.
    public func double(_ column: Int32) throws(StorageError) -> Double {
        let value = bytes(at: column)
        if value.isEmpty { return 0 }
        guard PQftype(result, column) == 701, value.count == 8 else { throw mismatch(column, "a double") }
        return Double(bitPattern: bigEndian(value))
    }

    /// A `boolean`.
    ///
    /// - Throws: ``StorageError`` for a column of another type.
    public func bool(_ column: Int32) throws(StorageError) -> Bool {
        let value = bytes(at: column)
        if value.isEmpty { return false }
        guard PQftype(result, column) == 16, value.count == 1 else { throw mismatch(column, "a boolean") }
        return value[0] != 0
    }

    /// A `timestamptz`: microseconds since 1970 in UTC.
    ///
    /// - Throws: ``StorageError`` for a column of another type.
    public func microseconds(_ column: Int32) throws(StorageError) -> Int64 {
        let value = bytes(at: column)
        if value.isEmpty { return 0 }
        guard PQftype(result, column) == 1184, value.count == 8 else { throw mismatch(column, "a timestamptz") }
        let microseconds = Int64(bitPattern: bigEndian(value))
        // `infinity` is the largest number and `-infinity` the smallest; both are kept as they are.
        if microseconds == .min { return .min }
        let (sum, overflow) = microseconds.addingReportingOverflow(PostgresValue.epochMicroseconds)
        return overflow ? .max : sum
    }

    /// A `text`, `varchar` or the like.
    public func string(_ column: Int32) -> String {
        String(decoding: bytes(at: column), as: UTF8.self)
    }

    /// A `bytea`.
    public func bytes(_ column: Int32) -> [UInt8] {
        Array(bytes(at: column))
    }

    /// libpq's own bytes, which live as long as the result.
    private func bytes(at column: Int32) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: PQgetvalue(result, row, column), count: Int(PQgetlength(result, row, column)))
    }

    private func bigEndian(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    private func mismatch(_ column: Int32, _ wanted: String) -> StorageError {
        StorageError(.other, "column \(column) of an answer is not \(wanted) (type \(PQftype(result, column)))")
    }
}
