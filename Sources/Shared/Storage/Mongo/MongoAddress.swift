import CMongoC
import RPC
import Storage

/// Where MongoDB is and how to talk to it: a parsed `mongodb://` URI with our defaults.
///
/// The one owner of its `mongoc_uri_t`. Why `@unchecked Sendable` holds: the URI is changed only in the initializer;
/// afterwards it is only read, which libmongoc allows from any thread.
public final class MongoAddress: @unchecked Sendable {
    private static let defaultPort = 27017
    private static let defaultDatabase = "shippy"
    private static let schemes = ["mongodb://", "mongodb+srv://"]
    /// How long an operation waits for a primary to appear. Callers wait 5 s as a rule, and there is one thread for each.
    private static let serverSelectionTimeoutMilliseconds: Int32 = 3_000
    private static let connectTimeoutMilliseconds: Int32 = 3_000
    /// How long a silent server holds a thread.
    private static let socketTimeoutMilliseconds: Int32 = 10_000

    private let uri: OpaquePointer
    /// The database that the URI names, or `shippy`.
    public let database: String
    /// The hosts, for logs: no credentials, no options.
    public let hosts: String

    /// - Parameter text: `host:port`, `host`, or a `mongodb://` or `mongodb+srv://` URI.
    /// - Throws: ``StorageError`` of kind `.configuration`, without the text, as it may hold credentials.
    public init(_ text: String) throws(StorageError) {
        Driver.start()
        var error = bson_error_t()
        guard let uri = mongoc_uri_new_with_error(try Self.uriText(text), &error) else {
            // libmongoc may repeat the part that it stumbled over, which may be a password.
            let reason = text.contains("@") ? "" : ": \(StorageError.text(error))"
            throw StorageError(.configuration, "the MongoDB URI is not valid\(reason)")
        }
        self.uri = uri
        database = mongoc_uri_get_database(uri).map { String(cString: $0) } ?? Self.defaultDatabase
        hosts = Self.hosts(of: text)
        setDefaults()
        guard mongoc_write_concern_is_acknowledged(mongoc_uri_get_write_concern(uri)) else {
            throw StorageError(.configuration, "the MongoDB URI asks for w=0, with which writes may be lost unnoticed")
        }
    }

    deinit {
        mongoc_uri_destroy(uri)
    }

    func withPointer<Result>(_ body: (OpaquePointer) throws -> Result) rethrows -> Result {
        try body(uri)
    }

    private static func uriText(_ text: String) throws(StorageError) -> String {
        if schemes.contains(where: { text.hasPrefix($0) }) { return text }
        let address = text.contains(":") ? HostPort(text) : HostPort("\(text):\(defaultPort)")
        guard let address, !address.host.isEmpty, address.port > 0 else {
            let shown = text.contains("@") ? "the MongoDB address" : "'\(text)'"
            throw StorageError(.configuration, "\(shown) is neither host:port nor a mongodb:// URI")
        }
        return "mongodb://\(address)"
    }

    private static func hosts(of text: String) -> String {
        var rest = text[...]
        for scheme in schemes where rest.hasPrefix(scheme) { rest = rest.dropFirst(scheme.count) }
        rest = rest.prefix { $0 != "/" && $0 != "?" }
        return String(rest.lastIndex(of: "@").map { rest[rest.index(after: $0)...] } ?? rest)
    }

    /// What the URI leaves open.
    private func setDefaults() {
        let numbers = [
            (MONGOC_URI_SERVERSELECTIONTIMEOUTMS, Self.serverSelectionTimeoutMilliseconds),
            (MONGOC_URI_CONNECTTIMEOUTMS, Self.connectTimeoutMilliseconds),
            (MONGOC_URI_SOCKETTIMEOUTMS, Self.socketTimeoutMilliseconds),
        ]
        for (name, value) in numbers where !mongoc_uri_has_option(uri, name) {
            mongoc_uri_set_option_as_int32(uri, name, value)
        }
        if !mongoc_uri_has_option(uri, MONGOC_URI_RETRYWRITES) {
            mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYWRITES, true)
        }
        if !mongoc_uri_has_option(uri, MONGOC_URI_W), let concern = mongoc_write_concern_new() {
            // An answered write survives the loss of the primary, and of the machine's power.
            mongoc_write_concern_set_wmajority(concern, 0)
            if mongoc_uri_get_option_as_bool(uri, MONGOC_URI_JOURNAL, true) {
                mongoc_write_concern_set_journal(concern, true)
            }
            mongoc_uri_set_write_concern(uri, concern)
            mongoc_write_concern_destroy(concern)
        }
    }
}

/// libmongoc's process-wide state.
enum Driver {
    private static let started: Void = {
        mongoc_init()
        // It writes to standard error by itself; what matters reaches us as errors.
        mongoc_log_set_handler(nil, nil)
    }()

    /// Starts libmongoc once in the process's life.
    static func start() { started }
}
