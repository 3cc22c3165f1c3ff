import CMongoC
import RPC
import Storage

/// One client of libmongoc, on one pool thread.
public final class MongoConnection: PooledConnection {
    private let pool: MongoClientPool
    private let database: String
    private let client: OpaquePointer
    private var collections: [String: MongoCollection] = [:]

    /// Connects, and shows the credentials. Blocks.
    ///
    /// - Throws: ``StorageError`` of kind `.accessDenied` or `.unusable` when the server can't be used, `.connectionLost`
    ///   when there is none.
    init(_ pool: MongoClientPool, database: String) throws(StorageError) {
        guard let client = pool.take() else {
            throw StorageError(.connectionLost, "libmongoc has no client left")
        }
        self.pool = pool
        self.database = database
        self.client = client
        // From here on `deinit` gives the client back, also when the ping throws.
        try ping()
    }

    deinit {
        // Collections go before the client that they refer to.
        collections = [:]
        pool.push(client)
    }

    /// A collection of the address's database.
    public func collection(_ name: String) -> MongoCollection {
        if let collection = collections[name] { return collection }
        let collection = MongoCollection(client: client, database: database, name: name)
        collections[name] = collection
        return collection
    }

    public func ping() throws(StorageError) {
        try run(["ping": 1], database: "admin")
    }

    /// Makes an index unless it is there.
    ///
    /// - Parameters:
    ///   - keys: field names with 1 (ascending) or -1.
    ///   - isSparse: leaves documents out that have none of the fields.
    ///   - isUnique: lets no two documents have the same.
    ///   - expireAfterSeconds: for an index on a date: documents are removed when they are older.
    public func ensureIndex(
        _ collection: String, name: String, keys: BSONFields, isSparse: Bool = false, isUnique: Bool = false,
        expireAfterSeconds: Int32? = nil
    ) throws(StorageError) {
        var index: [(String, BSONValue)] = [("key", .document(keys.fields)), ("name", .string(name))]
        if isSparse { index.append(("sparse", true)) }
        if isUnique { index.append(("unique", true)) }
        if let expireAfterSeconds { index.append(("expireAfterSeconds", .int32(expireAfterSeconds))) }
        try run(
            ["createIndexes": .string(collection), "indexes": .array([.document(index)])], database: database)
    }

    /// Runs a command for which there is no method.
    func run(_ command: BSONFields, database: String) throws(StorageError) {
        let command = BSONDocument(command)
        try checked(
            { reply, error in
                command.withPointer { mongoc_client_command_simple(client, database, $0, nil, reply, error) }
            }, read: { _ in })
    }
}

/// libmongoc's own pool: it watches the servers in the background and makes clients, one for each of our threads.
///
/// The one owner of its `mongoc_client_pool_t`. Why `@unchecked Sendable` holds: libmongoc allows pop and push from any
/// thread; each ``MongoConnection`` keeps this alive, so that it is destroyed after every client has come back.
/// Source: http://mongoc.org/libmongoc/1.23.1/mongoc_client_pool_t.html
final class MongoClientPool: @unchecked Sendable {
    /// The API with which the server's own codes come through.
    private static let errorAPI: Int32 = 2

    private let pool: OpaquePointer

    /// - Parameter clients: how many there are at most at the same time.
    init(_ address: MongoAddress, clients: Int, application: String) throws(StorageError) {
        var error = bson_error_t()
        guard let pool = address.withPointer({ mongoc_client_pool_new_with_error($0, &error) }) else {
            throw StorageError(.configuration, "the MongoDB URI can't be used: \(StorageError.text(error))")
        }
        mongoc_client_pool_max_size(pool, UInt32(clients))
        mongoc_client_pool_set_error_api(pool, Self.errorAPI)
        mongoc_client_pool_set_appname(pool, application)
        self.pool = pool
    }

    deinit {
        mongoc_client_pool_destroy(pool)
    }

    /// A client for the calling thread, to be returned with ``push(_:)``.
    func take() -> OpaquePointer? { mongoc_client_pool_try_pop(pool) }

    func push(_ client: OpaquePointer) { mongoc_client_pool_push(pool, client) }
}
