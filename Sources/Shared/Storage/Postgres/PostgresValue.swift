import CPostgres

/// A value that is bound to a parameter, and travels apart from the SQL text in PostgreSQL's binary format.
public enum PostgresValue: Sendable, Equatable {
    case text(String)
    /// `bigint`.
    case integer(Int64)
    case flag(Bool)
    /// `bytea`.
    case bytes([UInt8])
    /// `timestamptz`, in microseconds since 1970 in UTC. The smallest and the largest number are `-infinity` and
    /// `infinity`; the server rejects other times before 4713 BC.
    case time(microseconds: Int64)
    /// `text[]`.
    case texts([String])
    case null

    /// Microseconds from 1970 to 2000, from which PostgreSQL counts.
    static let epochMicroseconds: Int64 = 946_684_800_000_000

    /// The type's number in `pg_type.dat`, which never changes; 0 lets the server find out.
    var type: Oid {
        switch self {
        case .text: 25
        case .integer: 20
        case .flag: 16
        case .bytes: 17
        case .time: 1184
        case .texts: 1009
        case .null: 0
        }
    }

    func append(to buffer: inout [UInt8]) {
        switch self {
        case .text(let text): buffer.append(contentsOf: text.utf8)
        case .integer(let number): buffer.append(bigEndian: number)
        case .flag(let flag): buffer.append(flag ? 1 : 0)
        case .bytes(let bytes): buffer.append(contentsOf: bytes)
        case .time(let microseconds):
            // Dates so far away that they don't fit belong to nobody; they saturate.
            let (value, overflow) = microseconds.subtractingReportingOverflow(Self.epochMicroseconds)
            buffer.append(bigEndian: microseconds == .max ? .max : overflow ? Int64.min : value)
        case .texts(let texts): Self.append(texts, to: &buffer)
        case .null: break
        }
    }

    /// Dimensions, whether there are nulls, the elements' type; length and first index; the elements.
    /// Source: PostgreSQL's `array_recv` in `arrayfuncs.c`.
    private static func append(_ texts: [String], to buffer: inout [UInt8]) {
        let header: [Int32] = texts.isEmpty ? [0, 0, 25] : [1, 0, 25, Int32(clamping: texts.count), 1]
        for number in header { buffer.append(bigEndian: number) }
        for text in texts {
            buffer.append(bigEndian: Int32(clamping: text.utf8.count))
            buffer.append(contentsOf: text.utf8)
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(bigEndian number: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: number.bigEndian) { append(contentsOf: $0) }
    }
}

/// The parameters of one call, laid out as libpq wants them.
struct PostgresParameters {
    let types: [Oid]
    private let bytes: [UInt8]
    private let offsets: [Int?]
    private let lengths: [Int32]

    init(_ values: [PostgresValue]) {
        var bytes: [UInt8] = []
        var offsets: [Int?] = []
        var lengths: [Int32] = []
        for value in values {
            let start = bytes.count
            value.append(to: &bytes)
            offsets.append(value == .null ? nil : start)
            lengths.append(Int32(clamping: bytes.count - start))
        }
        // A last byte that belongs to nobody, so that also empty values have an address.
        bytes.append(0)
        types = values.map(\.type)
        self.bytes = bytes
        self.offsets = offsets
        self.lengths = lengths
    }

    /// What libpq's `nParams`, `paramValues`, `paramLengths` and `paramFormats` are to be; lent for the call's time.
    func withPointers<Result>(
        _ body: (
            _ count: Int32, _ values: UnsafePointer<UnsafePointer<CChar>?>?, _ lengths: UnsafePointer<Int32>?,
            _ formats: UnsafePointer<Int32>?
        ) -> Result
    ) -> Result {
        let formats = [Int32](repeating: Self.binary, count: offsets.count)
        return bytes.withUnsafeBytes { buffer in
            let base = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            let values = offsets.map { offset in offset.flatMap { base?.advanced(by: $0) } }
            return body(Int32(clamping: offsets.count), values, lengths, formats)
        }
    }

    /// libpq's code for values in binary.
    static let binary: Int32 = 1
}
