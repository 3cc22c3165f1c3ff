import Traces
import Tracing

/// One trip to a store, as it shows in traces. It says what was done to what, and never with which values.
/// Source: OpenTelemetry semantic conventions for database client spans.
package struct StoreOperation: Sendable {
    /// `mongodb` or `postgresql`.
    let system: String
    private(set) var database: String?
    /// `insert`, `SELECT`, …; `nil` for what does several things.
    let operation: String?
    /// The collection or table; `nil` for what is about none.
    let collection: String?
    /// Names the span.
    let summary: String

    package init(
        system: String, database: String? = nil, operation: String?, collection: String?, summary: String? = nil
    ) {
        self.system = system
        self.database = database
        self.operation = operation
        self.collection = collection
        self.summary = summary ?? [operation, collection].compactMap { $0 }.joined(separator: " ")
    }

    /// The same, in a database.
    package func on(_ database: String) -> StoreOperation {
        var operation = self
        operation.database = database
        return operation
    }

    /// Runs `body` on a pool's thread, as a span where the call is of a recorded trace.
    ///
    /// - Parameter make: called only then.
    package static func run<Value>(
        _ make: @autoclosure () -> StoreOperation, _ body: () throws(StorageError) -> Value
    ) throws(StorageError) -> Value {
        guard let call = PoolCallTrace.current else { return try body() }
        let span = make().begin(call)
        do throws(StorageError) {
            let value = try body()
            span.end()
            return value
        } catch {
            span.end(error)
            throw error
        }
    }

    private func begin(_ call: PoolCallTrace) -> TraceSpan {
        let span = call.begin(summary, .client)
        span.set("db.system.name", .string(system))
        if let operation { span.set("db.operation.name", .string(operation)) }
        span.set("db.query.summary", .string(summary))
        if let collection { span.set("db.collection.name", .string(collection)) }
        if let database { span.set("db.namespace", .string(database)) }
        return span
    }
}

extension TraceSpan {
    /// Ends a span of work that failed: with the kind of the error, as its text may hold values.
    func end(_ error: any Error) {
        let kind = (error as? StorageError)?.kind.rawValue ?? String(reflecting: type(of: error))
        set("error.type", .string(kind))
        setStatus(SpanStatus(code: .error))
        end()
    }
}
