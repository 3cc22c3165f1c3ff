/// The form in which two addresses are compared: Unicode's lower case, letter by letter, of every scalar.
///
/// Made here and not by the stores, as PostgreSQL's `lower` depends on the database's locale and SQLite's knows ASCII
/// only: so both agree. What looks the same and is coded differently (é as one scalar or as two) stays different.
enum FoldedEmail {
    static func of(_ email: String) -> String { email.lowercased() }
}
