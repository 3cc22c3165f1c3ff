/// Which span of which trace something belongs to: what `traceparent` says.
/// Source: W3C Trace Context, section 3.2.
public struct TraceParent: Sendable, Hashable {
    /// The trace's id, its first 8 bytes; never 0 together with ``traceLow``.
    public let traceHigh: UInt64
    /// The trace's id, its last 8 bytes.
    public let traceLow: UInt64
    /// The span's id, never 0.
    public let spanID: UInt64
    /// Whether whoever began the trace, or the last one on the way, records it.
    public let isSampled: Bool

    public init(traceHigh: UInt64, traceLow: UInt64, spanID: UInt64, isSampled: Bool) {
        self.traceHigh = traceHigh
        self.traceLow = traceLow
        self.spanID = spanID
        self.isSampled = isSampled
    }

    /// Bytes of a `traceparent` of version 00.
    private static let textBytes = 55

    /// Reads a `traceparent` of version 00, or what one of a later version has in common with it.
    ///
    /// `nil` when it is malformed, or names no trace or no span.
    public init?(_ text: String) {
        var text = text
        guard let parent = text.withUTF8({ TraceParent(bytes: $0) }) else { return nil }
        self = parent
    }

    private init?(bytes: UnsafeBufferPointer<UInt8>) {
        let dash = UInt8(ascii: "-")
        guard bytes.count >= Self.textBytes, bytes[2] == dash, bytes[35] == dash, bytes[52] == dash,
            let version = Self.number(bytes, 0..<2), version != 0xff,
            let high = Self.number(bytes, 3..<19), let low = Self.number(bytes, 19..<35),
            let span = Self.number(bytes, 36..<52), let flags = Self.number(bytes, 53..<55)
        else { return nil }
        // Later versions may say more after a dash; of this one there is no more.
        guard bytes.count == Self.textBytes || (version > 0 && bytes[55] == dash) else { return nil }
        guard high | low != 0, span != 0 else { return nil }
        self.init(traceHigh: high, traceLow: low, spanID: span, isSampled: flags & 1 == 1)
    }

    /// Lower-case hexadecimal digits, as the specification asks for.
    private static func number(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> UInt64? {
        var value: UInt64 = 0
        for index in range {
            switch bytes[index] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(bytes[index] - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"):
                value = value << 4 | UInt64(bytes[index] - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }

    /// As a `traceparent` of version 00.
    public var text: String {
        String(unsafeUninitializedCapacity: Self.textBytes) { bytes in
            bytes[0] = UInt8(ascii: "0")
            bytes[1] = UInt8(ascii: "0")
            bytes[2] = UInt8(ascii: "-")
            Self.write(traceHigh, bytes, 3)
            Self.write(traceLow, bytes, 19)
            bytes[35] = UInt8(ascii: "-")
            Self.write(spanID, bytes, 36)
            bytes[52] = UInt8(ascii: "-")
            bytes[53] = UInt8(ascii: "0")
            bytes[54] = UInt8(ascii: "0") + (isSampled ? 1 : 0)
            return Self.textBytes
        }
    }

    /// The trace's id as logs show it: 32 hexadecimal digits.
    public var traceID: String {
        String(unsafeUninitializedCapacity: 32) { bytes in
            Self.write(traceHigh, bytes, 0)
            Self.write(traceLow, bytes, 16)
            return 32
        }
    }

    private static func write(_ value: UInt64, _ bytes: UnsafeMutableBufferPointer<UInt8>, _ start: Int) {
        for index in 0..<16 {
            let digit = UInt8(truncatingIfNeeded: value >> UInt64(60 - index * 4)) & 0xf
            bytes[start + index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
        }
    }

    /// The same place in the same trace, with another decision.
    public func sampled(_ isSampled: Bool) -> TraceParent {
        TraceParent(traceHigh: traceHigh, traceLow: traceLow, spanID: spanID, isSampled: isSampled)
    }
}
