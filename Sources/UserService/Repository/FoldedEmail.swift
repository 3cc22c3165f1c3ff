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
