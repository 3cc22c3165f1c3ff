import RPC

/// The rule for email addresses: strict enough that one can stand in a mail's header and in SMTP's RCPT TO as it is.
///
/// ASCII only, no quotes and no comments: `local@domain`, the local part of RFC 5321's dot-atoms, the domain with a dot,
/// or `localhost`. Domains in other alphabets are written as their `xn--` form.
enum EmailAddress {
    /// RFC 5321, sections 4.5.3.1.1 and 4.5.3.1.3 less the angle brackets.
    static let byteCountMax = 254
    private static let localByteCountMax = 64
    private static let labelByteCountMax = 63

    static func isValid(_ text: String) -> Bool {
        guard text.utf8.count <= byteCountMax else { return false }
        let parts = Array(text.utf8).split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
        guard parts.count == 2 else { return false }
        return isLocal(parts[0]) && isDomain(parts[1])
    }

    private static func isLocal(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard bytes.count <= localByteCountMax else { return false }
        return bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            .allSatisfy { !$0.isEmpty && $0.allSatisfy { $0.isAlphanumericASCII || atomMarks.contains($0) } }
    }

    private static func isDomain(_ bytes: ArraySlice<UInt8>) -> Bool {
        let labels = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard labels.count > 1 || String(decoding: bytes, as: UTF8.self).hasSameBytes(asAnyCaseOf: "localhost") else {
            return false
        }
        return labels.allSatisfy { label in
            guard let first = label.first, let last = label.last, label.count <= labelByteCountMax else { return false }
            return first.isAlphanumericASCII && last.isAlphanumericASCII
                && label.allSatisfy { $0.isAlphanumericASCII || $0 == UInt8(ascii: "-") }
        }
    }

    private static let atomMarks = Set("!#$%&'*+-/=?^_`{|}~".utf8)
}

/// The form in which two addresses are compared: Unicode's lower case, letter by letter, of every scalar.
///
/// Made here and not by the stores, as PostgreSQL's `lower` depends on the database's locale and SQLite's knows ASCII
/// only: so both agree. What looks the same and is coded differently (é as one scalar or as two) stays different.
enum FoldedEmail {
    /// The email without case. A text that is too long for an address belongs to no account and stays as it is, so that
    /// nothing long is ever folded.
    static func of(_ email: String) -> String {
        // text: bounded by the condition.
        email.utf8.count <= EmailAddress.byteCountMax ? email.lowercased() : email
    }
}
