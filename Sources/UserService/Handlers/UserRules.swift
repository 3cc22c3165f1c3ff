import Contracts
import RPC

/// What a request must hold. All rules are about the request alone, so that they tell nothing about who exists.
enum UserRules {
    static let nameLengthMax = 200
    static let companyLengthMax = 200
    /// bcrypt reads no more than 72.
    static let passwordByteCounts = 8...BcryptHash.passwordBytesMax
    /// Longer ids belong to nobody; nobody asks the store for them.
    static let idByteCountMax = 64

    /// The rules for a new user. The id is not looked at: the service makes ids.
    static func checkNew(_ user: User_User) throws(UserError) {
        try checkNoNUL(user)
        // A name that is too long is rejected below, and not searched here.
        let isLong = !user.name.hasAtMost(nameLengthMax)
        guard isLong || user.name.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
            throw .invalid("name", "name must not be empty")
        }
        try checkLine(user.name, "name", nameLengthMax)
        try checkLine(user.company, "company", companyLengthMax)
        guard EmailAddress.isValid(user.email) else {
            throw .invalid("email", "email must be an address, such as ada@example.com")
        }
        guard passwordByteCounts.contains(user.password.utf8.count) else {
            throw .invalid(
                "password",
                "password must have \(passwordByteCounts.lowerBound) to \(passwordByteCounts.upperBound) bytes")
        }
    }

    /// The rules for a login: looser, for users whom other programs stored can log in too.
    static func checkLogin(_ user: User_User) throws(UserError) {
        try checkNoNUL(user)
        guard user.password.utf8.count <= BcryptWorker.passwordBytesMax else {
            throw .invalid("password", "password is too long")
        }
    }

    /// A NUL would end a text early for C libraries, and PostgreSQL stores none.
    static func checkNoNUL(_ user: User_User) throws(UserError) {
        let fields = [
            ("id", user.id), ("name", user.name), ("company", user.company), ("email", user.email),
            ("password", user.password), ("token", user.token),
        ]
        for (name, text) in fields where text.utf8.contains(0) { throw .invalid(name, "\(name) must not hold a NUL") }
    }

    /// Names go into mails, where a line's end would begin another header.
    private static func checkLine(_ text: String, _ field: String, _ limit: Int) throws(UserError) {
        guard text.hasAtMost(limit) else {
            throw .invalid(field, "\(field) must have at most \(limit) characters")
        }
        let isLine = text.unicodeScalars.allSatisfy {
            switch $0.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: false
            default: true
            }
        }
        guard isLine else { throw .invalid(field, "\(field) must not hold control characters") }
    }
}
