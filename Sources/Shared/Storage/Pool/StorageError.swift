import RPC

/// What went wrong in a store, as every driver says it.
///
/// ``message`` is for logs and operators: it may name files and servers but never holds credentials. Callers get
/// ``status``, which holds neither.
public struct StorageError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The raw values are `error.type` of spans.
    public enum Kind: String, Sendable, Equatable {
        /// The connection is gone or was never made. What a write did is unknown. The pool connects again.
        case connectionLost
        /// The store answers, and can't be used: not a database, a newer schema. A retry does not help.
        case unusable
        /// The server answers, and denies access: wrong credentials, no permission, no such database. Somebody may be about
        /// to grant it.
        case accessDenied
        /// A unique key is taken.
        case duplicateKey
        /// Another process or transaction stands in the way; trying again may help.
        case busy
        /// The store gave up because the call's time was over.
        case timeout
        /// The pool's queue is full.
        case overloaded
        /// The disk is full.
        case full
        /// The stored bytes are damaged.
        case corrupt
        /// A configuration text that can't be used.
        case configuration
        /// Anything else.
        case other
    }

    public var kind: Kind
    public var message: String
    /// The constraint or column that a `.duplicateKey` is about, as the store calls it, where it says so.
    public var key: String?

    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    public var description: String { message }

    /// Whether nobody foresaw it, so that it belongs in the log whenever it happens.
    public var isUnexpected: Bool {
        switch kind {
        case .full, .corrupt, .other, .unusable, .accessDenied, .configuration: true
        case .connectionLost, .duplicateKey, .busy, .timeout, .overloaded: false
        }
    }

    /// Whether the store answers, and fails until somebody changes it or our configuration.
    public var isPermanentFailure: Bool { kind == .unusable || kind == .accessDenied }
}

extension StorageError: StatusConvertible {
    public var status: Status {
        switch kind {
        case .connectionLost, .unusable, .accessDenied: Status(.unavailable, "the store can't be reached")
        case .duplicateKey: Status(.alreadyExists, "the key is taken")
        case .busy: Status(.unavailable, "the store is busy")
        case .timeout: Status(.deadlineExceeded, "the store did not answer in time")
        case .overloaded:
            Status(.resourceExhausted, "too many calls wait for the store", metadata: ["retry-after": "1"])
        case .full: Status(.resourceExhausted, "the store is full")
        case .corrupt: Status(.dataLoss, "the store is damaged")
        case .configuration, .other: Status(.internal, "internal error")
        }
    }
}
