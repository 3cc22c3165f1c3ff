/// The text of a bcrypt hash, as stores keep it: `$2b$10$`, 22 characters of salt and 31 of digest.
///
/// It has no description on purpose: a hash belongs in no log.
struct BcryptHash: Sendable {
    /// What new passwords are hashed with: 2 to this power rounds.
    static let cost = 10
    /// A stored hash of a higher cost counts as malformed: one login would hold a thread for many seconds.
    static let costMax = 14
    /// Bytes of a password that bcrypt reads; it ignores the rest.
    static let passwordBytesMax = 72
    private static let byteCount = 60
    private static let costMin = 4

    let text: String

    /// Whether the hash may be of a password that is longer than bcrypt reads.
    ///
    /// This service makes `$2b$` and rejects such passwords. The series' Go service made `$2a$` and accepted them; such
    /// a password still matches when it is typed in full.
    var mayBeCut: Bool { !text.utf8.starts(with: "$2b$".utf8) }

    /// `nil` when `text` is no bcrypt hash of the kinds `$2a$`, `$2b$` and `$2y$`, or costs too much.
    init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == Self.byteCount, bytes[0] == UInt8(ascii: "$"), bytes[1] == UInt8(ascii: "2"),
            [UInt8(ascii: "a"), UInt8(ascii: "b"), UInt8(ascii: "y")].contains(bytes[2]),
            bytes[3] == UInt8(ascii: "$"), bytes[6] == UInt8(ascii: "$"),
            let cost = Int(String(decoding: bytes[4..<6], as: UTF8.self)), (Self.costMin...Self.costMax).contains(cost),
            bytes[7...].allSatisfy(Self.isDigit)
        else { return nil }
        self.text = text
    }

    /// bcrypt's own base64: `./A-Za-z0-9`.
    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: ".")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
    }
}
