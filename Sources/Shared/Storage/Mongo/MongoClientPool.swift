import CMongoC
import Storage

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
