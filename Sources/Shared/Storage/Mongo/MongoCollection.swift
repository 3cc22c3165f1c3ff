import CMongoC
import RPC
import Storage

/// The operations of one collection: the one owner of its `mongoc_collection_t`, which is destroyed with it.
///
/// Every operation blocks, takes the time that is left of the call along as `maxTimeMS` (but updates), and throws ``StorageError``.
/// Writes are acknowledged by a majority and repeated once by the driver after a lost connection.
public final class MongoCollection {
    private let collection: OpaquePointer
    private let database: String
    private let name: String

    init(client: OpaquePointer, database: String, name: String) {
        // NULL is only answered to arguments that are NULL, and these are not: whatever their text, it is no reason.
        guard let collection = mongoc_client_get_collection(client, database, name) else {
            preconditionFailure("libmongoc made no collection")  // invariant: arguments are never NULL
        }
        self.collection = collection
        self.database = database
        self.name = name
    }

    deinit {
        mongoc_collection_destroy(collection)
    }

    /// - Throws: ``StorageError`` of kind `.duplicateKey` when `_id` or a unique key is taken.
    public func insert(_ document: BSONFields, deadline: Deadline) throws(StorageError) {
        try checked(
            "insert", [document, Self.options([:], deadline)],
            { mongoc_collection_insert_one(collection, $0[0], $0[1], $1, $2) }, read: { _ in })
    }

    /// Inserts each document on its own, whatever becomes of the others, in as few trips as the driver needs.
    ///
    /// - Returns: the places of those whose `_id` or a unique key of theirs was taken, from 0.
    public func insertAll(_ documents: [BSONFields], deadline: Deadline) throws(StorageError) -> [Int] {
        guard !documents.isEmpty else { return [] }
        let documents = documents.map(BSONDocument.init)
        let options = BSONDocument(try Self.options(["ordered": false], deadline))
        return try StoreOperation.run(operation("insert")) { () throws(StorageError) in
            try MongoStorage.checked(
                { reply, error in
                    var pointers: [OpaquePointer?] = documents.map { $0.withPointer { $0 } }
                    // The pointers are good for as long as their documents live.
                    return withExtendedLifetime(documents) {
                        options.withPointer {
                            mongoc_collection_insert_many(collection, &pointers, pointers.count, $0, reply, error)
                        }
                    }
                }, read: { _ in [] },
                recover: { failure, reply in
                    guard failure.kind == .duplicateKey else { return nil }
                    var taken: [Int] = []
                    var isOther = false
                    reply.eachDocument("writeErrors") {
                        taken.append(Int($0.int64("index")))
                        if !StorageError.isDuplicateKey($0.int64("code")) { isOther = true }
                    }
                    return isOther || taken.isEmpty ? nil : taken
                })
        }
    }

    /// Updates a document for each pair, in their order, in as few trips as the driver needs.
    public func updateAll(
        _ pairs: [(filter: BSONFields, update: BSONFields)], deadline: Deadline
    ) throws(StorageError) {
        guard !pairs.isEmpty else { return }
        _ = try Self.milliseconds(until: deadline)
        guard let bulk = mongoc_collection_create_bulk_operation_with_opts(collection, nil) else {
            throw StorageError(.other, "libmongoc made no bulk operation")
        }
        defer { mongoc_bulk_operation_destroy(bulk) }
        for pair in pairs {
            let filter = BSONDocument(pair.filter)
            let update = BSONDocument(pair.update)
            var error = bson_error_t()
            let isAdded = filter.withPointer { filter in
                update.withPointer { mongoc_bulk_operation_update_one_with_opts(bulk, filter, $0, nil, &error) }
            }
            guard isAdded else { throw StorageError(mongo: error, reply: nil) }
        }
        try checked("update", [], { mongoc_bulk_operation_execute(bulk, $1, $2) != 0 }, read: { _ in })
    }

    /// Updates one document.
    ///
    /// - Returns: whether there was such a document.
    @discardableResult
    public func update(_ filter: BSONFields, _ update: BSONFields, deadline: Deadline) throws(StorageError) -> Bool {
        // libmongoc would put `maxTimeMS` within the update, where servers refuse it; the socket's timeout must do.
        _ = try Self.milliseconds(until: deadline)
        return try checked(
            "update", [filter, update, [:]],
            { mongoc_collection_update_one(collection, $0[0], $0[1], $0[2], $1, $2) },
            read: { $0.int64("matchedCount") > 0 })
    }

    /// Updates the first document that matches, as one step that nobody else can come between.
    ///
    /// - Returns: what `decode` makes of the document as it is afterwards; `nil` when none matches.
    public func findAndUpdate<Value>(
        _ filter: BSONFields, sort: BSONFields = [:], _ update: BSONFields, deadline: Deadline,
        _ decode: (BSONView) -> Value
    ) throws(StorageError) -> Value? {
        guard let options = mongoc_find_and_modify_opts_new() else {
            throw StorageError(.other, "libmongoc made no options")
        }
        defer { mongoc_find_and_modify_opts_destroy(options) }
        // Each of these copies what it is given.
        _ = BSONDocument(sort).withPointer { mongoc_find_and_modify_opts_set_sort(options, $0) }
        _ = BSONDocument(update).withPointer { mongoc_find_and_modify_opts_set_update(options, $0) }
        _ = mongoc_find_and_modify_opts_set_flags(options, MONGOC_FIND_AND_MODIFY_RETURN_NEW)
        if let milliseconds = try Self.milliseconds(until: deadline) {
            _ = mongoc_find_and_modify_opts_set_max_time_ms(options, UInt32(milliseconds))
        }
        return try checked(
            "findAndModify", [filter],
            { mongoc_collection_find_and_modify_with_opts(collection, $0[0], options, $1, $2) },
            read: { $0.document("value", decode) }) ?? nil
    }

    /// How many documents match, counting to `limit` at most.
    public func count(_ filter: BSONFields, limit: Int64, deadline: Deadline) throws(StorageError) -> Int {
        var count: Int64 = 0
        try checked(
            "count", [filter, Self.options(["limit": .int64(limit)], deadline)],
            { documents, reply, error in
                count = mongoc_collection_count_documents(collection, documents[0], documents[1], nil, reply, error)
                return count >= 0
            }, read: { _ in })
        return Int(count)
    }

    /// - Returns: whether there was such a document.
    @discardableResult
    public func delete(_ filter: BSONFields, deadline: Deadline) throws(StorageError) -> Bool {
        try checked(
            "delete", [filter, Self.options([:], deadline)],
            { mongoc_collection_delete_one(collection, $0[0], $0[1], $1, $2) },
            read: { $0.int64("deletedCount") > 0 })
    }

    /// What `decode` makes of the first document that matches; `nil` when there is none.
    public func first<Value>(
        _ filter: BSONFields, sort: BSONFields = [:], deadline: Deadline, _ decode: (BSONView) -> Value
    ) throws(StorageError) -> Value? {
        var value: Value?
        try find(filter, sort: sort, limit: 1, deadline: deadline) {
            value = decode($0)
            return false
        }
        return value
    }

    /// Gives each document that matches to `body` until that answers false.
    ///
    /// - Parameter limit: at most so many.
    public func find(
        _ filter: BSONFields, sort: BSONFields = [:], limit: Int32, deadline: Deadline,
        _ body: (BSONView) -> Bool
    ) throws(StorageError) {
        let filter = BSONDocument(filter)
        // One batch, so that the server keeps no cursor for us.
        var fields: BSONFields = ["limit": .int64(Int64(limit)), "batchSize": .int32(limit), "singleBatch": true]
        if !sort.fields.isEmpty { fields.fields.append(("sort", .document(sort.fields))) }
        let options = BSONDocument(try Self.options(fields, deadline))
        try StoreOperation.run(operation("find")) { () throws(StorageError) in
            try find(filter, options, body)
        }
    }

    private func find(
        _ filter: BSONDocument, _ options: BSONDocument, _ body: (BSONView) -> Bool
    ) throws(StorageError) {
        let found = filter.withPointer { filter in
            options.withPointer { mongoc_collection_find_with_opts(collection, filter, $0, nil) }
        }
        guard let cursor = found else { throw StorageError(.other, "libmongoc made no cursor") }
        defer { mongoc_cursor_destroy(cursor) }
        var document: OpaquePointer?
        while mongoc_cursor_next(cursor, &document), let document {
            guard body(BSONView(document)) else { return }
        }
        var error = bson_error_t()
        var reply: OpaquePointer?
        if mongoc_cursor_error_document(cursor, &error, &reply) { throw StorageError(mongo: error, reply: reply) }
    }

    private func operation(_ name: String) -> StoreOperation {
        StoreOperation(system: "mongodb", database: database, operation: name, collection: self.name)
    }

    /// - Parameter call: gets a document for each of `fields`, the reply and the error; true means success.
    private func checked<Value>(
        _ name: String, _ fields: [BSONFields],
        _ call: ([OpaquePointer], OpaquePointer, UnsafeMutablePointer<bson_error_t>) -> Bool, read: (BSONView) -> Value
    ) throws(StorageError) -> Value {
        let documents = fields.map { BSONDocument($0) }
        // Good for as long as their documents live.
        let pointers = documents.map { $0.withPointer { $0 } }
        return try StoreOperation.run(operation(name)) { () throws(StorageError) in
            try MongoStorage.checked(
                { reply, error in withExtendedLifetime(documents) { call(pointers, reply, error) } }, read: read)
        }
    }

    private static func options(_ fields: BSONFields, _ deadline: Deadline) throws(StorageError) -> BSONFields {
        var fields = fields
        if let milliseconds = try milliseconds(until: deadline) {
            fields.fields.append(("maxTimeMS", .int64(milliseconds)))
        }
        return fields
    }

    /// What is left of a call as a server takes it; `nil` for a call without a deadline.
    private static func milliseconds(until deadline: Deadline) throws(StorageError) -> Int64? {
        guard !deadline.isNever else { return nil }
        guard !deadline.isExpired else { throw StorageError(.timeout, "the call's time was over before it was sent") }
        let left = deadline.remaining.components
        let milliseconds = left.seconds * 1_000 + left.attoseconds / 1_000_000_000_000_000
        return max(1, min(milliseconds, Int64(Int32.max)))
    }
}
