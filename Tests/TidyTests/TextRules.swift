import Foundation
import Testing

/// Text from outside is bytes. Swift's own comparison, hashing and splitting of a `String` take quadratic time in a run
/// of combining marks, so that one request could stop a program (see `Sources/Shared/RPC/Text/OutsideText.swift`).
///
/// The compiler does not know which texts come from outside. So in the folders that read such texts every use of these
/// functions is reviewed, and the reason why it is harmless is written down: in the list below for a whole file, or in
/// a comment that begins with `text:` beside it or right above.
@Suite("House rules for text from outside")
struct TextRules {
    private static let fixedFolders = [
        "Sources/APIGateway", "Sources/Shared/HTTP", "Sources/Shared/RPC", "Sources/Shared/Traces",
        "Sources/Shared/Contracts", "Sources/Shared/Transcoding",
        "Sources/Shared/Runtime/Authentication", "Sources/Shared/Runtime/Health",
        "Sources/Shared/Runtime/Logging", "Sources/Shared/Storage/Idempotency", "Sources/ShippyCLI",
    ]

    /// With those of the services, whichever there are.
    private static func folders() throws -> [String] {
        try fixedFolders + Repository.services().map { "Sources/\($0)" }
    }

    /// Files without such use of long text from outside, and why.
    private static let reviewed = [
        "Sources/APIGateway/Gateway.swift": "our services' names",
        "Sources/APIGateway/GatewaySettings.swift": "flags and variables",
        "Sources/APIGateway/Limits/NetworkAddress.swift": "ranges come from flags; addresses are bounded first",
        "Sources/APIGateway/Limits/TrustedProxies.swift": "flags; headers are read by bytes",
        "Sources/APIGateway/Pages/StaticFiles+Load.swift": "names of our files, at the start",
        "Sources/APIGateway/Routing/RouteTable.swift": "our services' names, at the start; look-ups compare bytes",
        "Sources/EmailService/Delivery/SMTPAddress.swift": "configuration",
        "Sources/EmailService/Delivery/SMTPConnection.swift": "replies are bounded, and read on a pool thread",
        "Sources/EmailService/Mail/HeaderText.swift": "bounded first",
        "Sources/EmailService/Mail/MailAddress.swift": "bounded to 254 bytes first; mailboxes are configuration",
        "Sources/EmailService/Mail/QuotedPrintable.swift": "our own text with names that are bounded",
        "Sources/EmailService/Mail/WelcomeMail.swift": "scalars, and bounded",
        "Sources/Shared/HTTP/VersionDetector.swift": "what ALPN agreed on is one of our own protocols",
        "Sources/Shared/RPC/Client/ClientObservers.swift": "our methods' paths",
        "Sources/Shared/RPC/Client/ResponseReader.swift": "raw bytes, not strings",
        "Sources/Shared/RPC/Server/ServerStream.swift": "our methods' names; headers are raw bytes, not strings",
        "Sources/Shared/RPC/Transport/HTTP2Transport.swift": "what ALPN agreed on is one of our own protocols",
        "Sources/Shared/Runtime/Health/Readiness.swift": "our checks' names",
        "Sources/Shared/Traces/Sampler.swift": "configuration",
        "Sources/UserService/Repository/PostgresUserSchema.swift": "names of our indexes",
        "Sources/UserService/Repository/SQLiteUserRepository.swift": "names of our columns",
        "Sources/UserService/Repository/UserDatabase.swift": "configuration",
        "Sources/UserService/Tokens/SecretFile.swift": "configuration",
    ]

    /// Uses that compare, hash or split a `String`. Bytes have no such functions, or other arguments.
    private static var uses: [Regex<Substring>] {
        [
            #/\.(?:lowercased|uppercased)\(\)/#,
            #/\.has(?:Prefix|Suffix)\(/#,
            #/\.(?:split|contains|firstIndex|lastIndex|firstRange|ranges|replacing|components)\((?:separator: |of: |separatedBy: )?"/#,
            #/\.split\(whereSeparator/#,
            #/[=!]= "[^"]/#,
            #/\bcase "/#,
            #/\[String: /#,
            #/Set<String>/#,
            #/canonicalForm/#,
            #/\.trimmingCharacters/#,
        ]
    }

    /// The lines of a file with such a use, numbered from 1, unless a comment says why it is harmless.
    private static func suspects(in file: Repository.File) -> [(number: Int, line: Substring)] {
        let uses = uses
        return file.numberedCode.filter { number, line in
            guard uses.contains(where: { line.firstMatch(of: $0) != nil }) else { return false }
            let above = number > 1 ? file.lines[number - 2].drop { $0 == " " } : ""
            return !line.contains("// text: ") && !above.hasPrefix("// text: ")
        }
    }

    @Test("no text from outside is compared, hashed or split as a String, unless a comment says why that is harmless")
    func strings() throws {
        for file in try Repository.swiftFiles(under: Self.folders())
        where !file.isGenerated && Self.reviewed[file.path] == nil {
            for (number, line) in Self.suspects(in: file) {
                Issue.record("\(file.path):\(number): by bytes, or say why not: \(line.drop { $0 == " " })")
            }
        }
    }

    @Test("every reviewed file exists, and still needs its review")
    func reviewedFiles() throws {
        let files = try Repository.swiftFiles(under: Self.folders())
        for path in Self.reviewed.keys.sorted() {
            let file = try #require(files.first { $0.path == path }, "\(path) is gone")
            #expect(!Self.suspects(in: file).isEmpty, "\(path) uses nothing of the kind any more")
        }
    }

    @Test("the rule finds the uses that it is for")
    func finds() {
        let lines = [
            "if value.lowercased() != name {", "guard text.hasPrefix(prefix) else {", "switch path { case \"/rpc\":",
            "if request.path == \"/rpc\" {", "var known: [String: Int] = [:]",
            "let parts = value.split(separator: \";\")",
            "for word in headers[canonicalForm: \"connection\"] {",
        ]
        for line in lines {
            let plain = Repository.File(path: "x.swift", lines: [line[...]])
            #expect(Self.suspects(in: plain).count == 1, "\(line)")
            let reviewed = Repository.File(path: "x.swift", lines: ["// text: bounded."[...], line[...]])
            #expect(Self.suspects(in: reviewed).isEmpty, "\(line)")
        }
        let bytes = [
            "value.utf8.split(separator: UInt8(ascii: \";\"))", "path.hasSameBytes(as: \"/rpc\")", "x == \"\"",
        ]
        for line in bytes {
            #expect(Self.suspects(in: Repository.File(path: "x.swift", lines: [line[...]])).isEmpty, "\(line)")
        }
    }
}
