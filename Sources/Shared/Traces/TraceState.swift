/// What other tracing systems add to a trace: `tracestate`, passed on as it came.
/// Source: W3C Trace Context, section 3.3.
public enum TraceState {
    /// Of the whole value, in bytes; a longer one is not passed on.
    public static let bytesMax = 512
    /// Of its members; a value with more is not passed on.
    public static let membersMax = 32
    private static let keyBytesMax = 256
    private static let valueBytesMax = 256

    /// `text` if it can be passed on, `nil` if it is malformed, empty or too long.
    public static func checked(_ text: String?) -> String? {
        guard let text, !text.isEmpty, text.utf8.count <= bytesMax else { return nil }
        var members = 0
        for member in text.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
            let trimmed = trim(member)
            if trimmed.isEmpty { continue }
            members += 1
            guard members <= membersMax, isMember(trimmed) else { return nil }
        }
        return members > 0 ? text : nil
    }

    private static func trim(_ member: Substring.UTF8View) -> Substring.UTF8View {
        func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        var member = member.drop(while: isSpace)
        while let last = member.last, isSpace(last) { member.removeLast() }
        return member
    }

    private static func isMember(_ member: Substring.UTF8View) -> Bool {
        guard let equals = member.firstIndex(of: UInt8(ascii: "=")) else { return false }
        let key = member[..<equals]
        let value = member[member.index(after: equals)...]
        guard !key.isEmpty, key.count <= keyBytesMax, key.allSatisfy(isKeyByte) else { return false }
        guard !value.isEmpty, value.count <= valueBytesMax else { return false }
        return value.allSatisfy { $0 >= 0x20 && $0 <= 0x7e && $0 != UInt8(ascii: "=") }
    }

    private static func isKeyByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"),
            UInt8(ascii: "-"), UInt8(ascii: "*"), UInt8(ascii: "/"), UInt8(ascii: "@"):
            true
        default: false
        }
    }
}
