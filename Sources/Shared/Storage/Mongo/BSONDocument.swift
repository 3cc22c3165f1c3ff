import CMongoC

/// A value as it goes to MongoDB.
public enum BSONValue: Sendable {
    case int32(Int32)
    case int64(Int64)
    case bool(Bool)
    case string(String)
    case binary([UInt8])
    /// Milliseconds since 1970 in UTC.
    case date(milliseconds: Int64)
    indirect case document([(String, BSONValue)])
    indirect case array([BSONValue])
}

extension BSONValue: ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral, ExpressibleByStringLiteral,
    ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral
{
    public init(integerLiteral value: Int32) { self = .int32(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(dictionaryLiteral elements: (String, BSONValue)...) { self = .document(elements) }
    public init(arrayLiteral elements: BSONValue...) { self = .array(elements) }
}

/// The fields of a document in their order, as a filter, an update or an index key needs them.
public struct BSONFields: Sendable, ExpressibleByDictionaryLiteral {
    public var fields: [(String, BSONValue)]

    public init(dictionaryLiteral elements: (String, BSONValue)...) { fields = elements }

    public init(_ fields: [(String, BSONValue)]) { self.fields = fields }
}

/// A document in libbson's memory: the one owner of its `bson_t`, which is destroyed with it.
///
/// Not `Sendable`: it is made and used on one pool thread.
final class BSONDocument {
    private let document: OpaquePointer

    init() {
        guard let document = bson_new() else {
            // Takes no input, and libbson ends the process itself when there is no memory.
            preconditionFailure("libbson made no document")  // invariant: bson_new never answers NULL
        }
        self.document = document
    }

    convenience init(_ fields: BSONFields) {
        self.init()
        Self.append(fields.fields, to: document)
    }

    deinit {
        bson_destroy(document)
    }

    func withPointer<Result>(_ body: (OpaquePointer) throws -> Result) rethrows -> Result {
        try body(document)
    }

    private static func append(_ fields: [(String, BSONValue)], to document: OpaquePointer) {
        for (name, value) in fields { append(value, as: name, to: document) }
    }

    private static func append(_ value: BSONValue, as name: String, to document: OpaquePointer) {
        let done: Bool
        switch value {
        case .int32(let number): done = bson_append_int32(document, name, -1, number)
        case .int64(let number): done = bson_append_int64(document, name, -1, number)
        case .bool(let flag): done = bson_append_bool(document, name, -1, flag)
        case .date(let milliseconds): done = bson_append_date_time(document, name, -1, milliseconds)
        case .string(let text):
            done = bson_append_utf8(document, name, -1, text, Int32(text.utf8.count))
        case .binary(let bytes):
            done = bson_append_binary(document, name, -1, BSON_SUBTYPE_BINARY, bytes, UInt32(bytes.count))
        case .document(let fields):
            let child = BSONDocument()
            append(fields, to: child.document)
            done = bson_append_document(document, name, -1, child.document)
        case .array(let values):
            let child = BSONDocument()
            for (index, value) in values.enumerated() { append(value, as: "\(index)", to: child.document) }
            done = bson_append_array(document, name, -1, child.document)
        }
        // It fails only past 2 GB; a message is 4 MiB at most.
        precondition(done, "a document outgrew BSON")
    }
}

/// A document that the driver lends. Valid only inside the closure that it is lent to.
public struct BSONView {
    private let document: OpaquePointer

    init(_ document: OpaquePointer) {
        self.document = document
    }

    /// A whole number of either width; 0 where the field is missing or of another type.
    public func int64(_ name: String) -> Int64 {
        shippy_bson_int64(document, name)
    }

    public func int32(_ name: String) -> Int32 {
        Int32(clamping: int64(name))
    }

    public func has(_ name: String) -> Bool {
        bson_has_field(document, name)
    }

    /// False where the field is missing or of another type.
    public func bool(_ name: String) -> Bool {
        shippy_bson_bool(document, name)
    }

    /// Milliseconds since 1970 in UTC; 0 where the field is missing or no date.
    public func date(_ name: String) -> Int64 {
        shippy_bson_date(document, name)
    }

    /// Lends a document within this one to `body`.
    ///
    /// - Returns: `nil` where the field is missing or no document.
    func document<Value>(_ name: String, _ body: (BSONView) -> Value) -> Value? {
        guard let copy = shippy_bson_document_copy(document, name) else { return nil }
        defer { bson_destroy(copy) }
        return body(BSONView(copy))
    }

    /// Empty where the field is missing or of another type.
    public func string(_ name: String) -> String {
        var length: UInt32 = 0
        guard let text = shippy_bson_utf8(document, name, &length) else { return "" }
        return String(decoding: UnsafeRawBufferPointer(start: text, count: Int(length)), as: UTF8.self)
    }

    /// Empty where the field is missing or of another type.
    public func binary(_ name: String) -> [UInt8] {
        var length: UInt32 = 0
        guard let bytes = shippy_bson_binary(document, name, &length) else { return [] }
        return Array(UnsafeBufferPointer(start: bytes, count: Int(length)))
    }

    /// Bytes of the whole document.
    public var byteCount: Int { Int(shippy_bson_size(document)) }

    /// Lends each document of an array to `body`; nothing where the field is missing or no array.
    public func eachDocument(_ name: String, _ body: (BSONView) -> Void) {
        // libbson calls back before it returns, so that neither the closure nor its place is kept.
        withoutActuallyEscaping(body) { body in
            withUnsafePointer(to: body) { place in
                let context = UnsafeMutableRawPointer(mutating: UnsafeRawPointer(place))
                shippy_bson_each_document(
                    document, name,
                    { context, document in
                        guard let context, let document else { return }
                        context.assumingMemoryBound(to: ((BSONView) -> Void).self).pointee(BSONView(document))
                    }, context)
            }
        }
    }
}
