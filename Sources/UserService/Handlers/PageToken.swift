import RPC

/// A place in the list of users as callers see it: a text that they give back as it is.
///
/// It holds nothing that the page before it did not show, so it is not sealed.
enum PageToken {
    /// Changes with the token's format, so that old tokens are rejected and not misread.
    private static let version = UInt8(ascii: "1")
    private static let timeDigits = 16
    /// Longest id that PostgreSQL's index can hold, in bytes: a table of another program may have such users.
    private static let idByteCountMax = 2_704
    /// Times that PostgreSQL's timestamps can hold, in microseconds since 1970: from 4713 BC on, and `-infinity` as the
    /// smallest number. Source: PostgreSQL 15, "Date/Time Types".
    private static let times = -210_866_803_200_000_000...Int64.max

    static func text(_ position: UserPosition) -> String {
        let time = UInt64(bitPattern: position.createdAtMicroseconds)
        let timeBytes = (0..<8).map { UInt8(truncatingIfNeeded: time >> (56 - 8 * $0)) }
        return String(UnicodeScalar(version)) + Hexadecimal.text(timeBytes + Array(position.id.utf8))
    }

    /// - Throws: ``UserError/invalid(_:_:)`` for a text that ``text(_:)`` never returned, and for one that no store
    ///   accepts.
    static func position(_ token: String) throws(UserError) -> UserPosition {
        let problem = UserError.invalid("page_token", "page_token must be one that this service gave")
        let text = token.utf8
        guard text.count <= 1 + timeDigits + 2 * idByteCountMax, text.first == version,
            let bytes = bytes(text.dropFirst()), bytes.count > timeDigits / 2,
            let id = String(validating: bytes[(timeDigits / 2)...], as: UTF8.self), !id.utf8.contains(0)
        else { throw problem }
        let bits = bytes[..<(timeDigits / 2)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let time = Int64(bitPattern: bits)
        guard times.contains(time) || time == .min else { throw problem }
        let position = UserPosition(createdAtMicroseconds: time, id: id)
        // Digits in upper case are not ours.
        guard token.hasSameBytes(as: Self.text(position)) else { throw problem }
        return position
    }

    private static func bytes(_ hex: Substring.UTF8View) -> [UInt8]? {
        let digits = Array(hex).compactMap(Hexadecimal.value)
        guard digits.count == hex.count, digits.count.isMultiple(of: 2) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
