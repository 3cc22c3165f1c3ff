/// What somebody is told who has signed up. Names come from strangers, so they are short and escaped wherever they stand.
struct WelcomeMail: Sendable, Equatable {
    /// Characters of a name that are shown.
    private static let shownLengthMax = 60

    private let name: String
    private let company: String

    init(name: String, company: String) {
        self.name = Self.shown(name)
        self.company = Self.shown(company)
    }

    var subject: String { name.isEmpty ? "Welcome to Shippy" : "Welcome to Shippy, \(name)" }

    /// Lines end with LF.
    var text: String {
        """
        Hello\(name.isEmpty ? "" : " \(name)"),

        welcome to Shippy. Your account\(company.isEmpty ? "" : " for \(company)") is ready.
        You can log in with your email address and the password that you chose.

        If you did not sign up, somebody has used your address by mistake. You need do nothing.

        Shippy

        """
    }

    /// The same as HTML. Lines end with LF.
    var html: String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head><meta charset="utf-8"><title>Welcome to Shippy</title></head>
        <body>
        <p>Hello\(name.isEmpty ? "" : " \(Self.escaped(name))"),</p>
        <p>welcome to Shippy. Your account\(company.isEmpty ? "" : " for \(Self.escaped(company))") is ready.
        You can log in with your email address and the password that you chose.</p>
        <p>If you did not sign up, somebody has used your address by mistake. You need do nothing.</p>
        <p>Shippy</p>
        </body>
        </html>

        """
    }

    private static func shown(_ name: String) -> String {
        // The rules refuse such names; a mail that was stored by an older program must not be worse for it.
        let name = String(String.UnicodeScalarView(name.unicodeScalars.filter { !String($0).hasControls }))
        // A character may be composed of any number of scalars, so these are what is counted.
        guard name.unicodeScalars.count > shownLengthMax else { return name }
        return String(name.unicodeScalars.prefix(shownLengthMax)) + "…"
    }

    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
