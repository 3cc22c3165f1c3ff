import CMongoC
import Storage

extension StorageError {
    /// Server codes that say: not the primary (any more), or shutting down. Another server may be.
    /// Source: MongoDB specifications, "Server Discovery and Monitoring", state change errors.
    private static let primaryLostCodes: Set<UInt32> = [91, 189, 10058, 10107, 11600, 11602, 13435, 13436]
    /// Unauthorized, AuthenticationFailed.
    private static let accessDeniedCodes: Set<UInt32> = [13, 18, 8000]
    private static let duplicateKeyCodes: Set<UInt32> = [11000, 11001, 12582]
    /// MaxTimeMSExpired, ExceededTimeLimit, WriteConcern timeout.
    private static let timeoutCodes: Set<UInt32> = [50, 64, 262]
    /// OutOfDiskSpace.
    private static let fullCodes: Set<UInt32> = [14031]

    /// The one place where libmongoc's errors get a meaning. The texts of libmongoc hold hosts, but no credentials.
    ///
    /// - Parameter reply: what the server said, for its error labels.
    init(mongo error: bson_error_t, reply: OpaquePointer?) {
        self.init(Self.kind(error, reply: reply), "\(Self.text(error)) (MongoDB code \(error.domain)/\(error.code))")
    }

    private static func kind(_ error: bson_error_t, reply: OpaquePointer?) -> Kind {
        let labels = ["RetryableWriteError", "TransientTransactionError"]
        switch mongoc_error_domain_t(error.domain) {
        case MONGOC_ERROR_STREAM, MONGOC_ERROR_SERVER_SELECTION, MONGOC_ERROR_POOL: return .connectionLost
        case MONGOC_ERROR_SCRAM, MONGOC_ERROR_SASL: return .accessDenied
        case MONGOC_ERROR_CLIENT where error.code == MONGOC_ERROR_CLIENT_AUTHENTICATE.rawValue: return .accessDenied
        case MONGOC_ERROR_PROTOCOL where error.code == MONGOC_ERROR_PROTOCOL_BAD_WIRE_VERSION.rawValue: return .unusable
        case MONGOC_ERROR_PROTOCOL: return .connectionLost
        case MONGOC_ERROR_SERVER, MONGOC_ERROR_WRITE_CONCERN, MONGOC_ERROR_COMMAND, MONGOC_ERROR_QUERY,
            MONGOC_ERROR_COLLECTION:
            if duplicateKeyCodes.contains(error.code) {
                // What no majority has may be rolled back: neither that document nor the others of the call are sure to stay.
                let isMajority = reply.map { !BSONView($0).has("writeConcernErrors") } ?? true
                return isMajority ? .duplicateKey : .timeout
            }
            if primaryLostCodes.contains(error.code) { return .connectionLost }
            if accessDeniedCodes.contains(error.code) { return .accessDenied }
            if timeoutCodes.contains(error.code) { return .timeout }
            if fullCodes.contains(error.code) { return .full }
        default: break
        }
        if let reply, labels.contains(where: { mongoc_error_has_label(reply, $0) }) { return .connectionLost }
        return .other
    }

    static func isDuplicateKey(_ code: Int64) -> Bool {
        UInt32(exactly: code).map(duplicateKeyCodes.contains) ?? false
    }

    static func text(_ error: bson_error_t) -> String {
        withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

/// Calls a libmongoc function that reports by return value, reply and `bson_error_t`.
///
/// - Parameters:
///   - body: true means success.
///   - recover: what to answer after a failure that is none to the caller; `nil` throws it.
/// - Returns: what `read` makes of the reply.
func checked<Value>(
    _ body: (OpaquePointer, UnsafeMutablePointer<bson_error_t>) -> Bool,
    read: (BSONView) -> Value, recover: (StorageError, BSONView) -> Value? = { _, _ in nil }
) throws(StorageError) -> Value {
    guard let reply = shippy_reply_new() else { throw StorageError(.other, "no memory for a reply") }
    // The function initializes the reply whatever happens, and it is destroyed here whatever happens.
    defer { shippy_reply_free(reply) }
    var error = bson_error_t()
    if body(reply, &error) { return read(BSONView(reply)) }
    let failure = StorageError(mongo: error, reply: reply)
    guard let value = recover(failure, BSONView(reply)) else { throw failure }
    return value
}
