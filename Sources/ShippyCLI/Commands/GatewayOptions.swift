import ArgumentParser
import Glibc

/// The gateway to call.
struct GatewayOptions: ParsableArguments {
    @Option(help: "The gateway's address (default: SHIPPY_URL or http://localhost:8080).")
    var url: String?

    @Option(help: ArgumentHelp("CA certificates (PEM) that verify it (default: SHIPPY_CA).", valueName: "file"))
    var ca: String?

    /// - Throws: ``Failure`` with ``ExitStatus/usage`` for a setting that can't be used, with ``ExitStatus/notFound`` for a file
    ///   of certificates that can't be read.
    func session() throws(Failure) -> Session {
        Session(client: try GatewayClient(try gateway(), authorities: try authorities()), tokens: tokens)
    }

    /// The file is looked at here, since libcurl's error for one that is missing looks like a gateway that can't be trusted.
    private func authorities() throws(Failure) -> String? {
        guard let path = ca ?? Environment.value("SHIPPY_CA") else { return nil }
        guard access(path, R_OK) == 0 else {
            throw Failure(.notFound, "can't read \(path): \(String(cString: strerror(errno)))")
        }
        return path
    }

    func gateway() throws(Failure) -> GatewayURL {
        guard let given = url ?? Environment.value("SHIPPY_URL") else { return .standard }
        guard let parsed = GatewayURL(given) else {
            let name = url == nil ? "SHIPPY_URL" : "--url"
            // Logs keep what is printed, and what stands before an @ may be a password.
            let shown = given.utf8.contains(UInt8(ascii: "@")) ? "the value" : "'\(given)'"
            throw Failure(.usage, "\(name): \(shown) is not http://HOST:PORT or https://HOST:PORT")
        }
        return parsed
    }

    var tokens: TokenFile? {
        TokenFile.standardPath(configHome: Environment.value("XDG_CONFIG_HOME"), home: Environment.value("HOME"))
            .map { TokenFile(path: $0) }
    }
}

/// The output format.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Prints the gateway's responses as JSON, one per line.")
    var json = false

    /// Prints a response: as received, or the lines that `lines` makes of it.
    func show<Message>(_ response: Response<Message>, _ lines: (Message) throws(Failure) -> [String]) throws(Failure) {
        if json {
            try Output.json(response.json)
        } else {
            try Output.lines(lines(response.message))
        }
    }
}

/// A gateway and the user's token there.
struct Session {
    let client: GatewayClient
    /// `nil` when no variable says where the file is.
    let tokens: TokenFile?

    var url: GatewayURL { client.url }

    /// The token, for calls that need one.
    func token() throws(Failure) -> String {
        guard let token = try knownToken() else {
            throw Failure(
                .notAllowed, "no token for \(url.text); log in with: shippy user login --email EMAIL")
        }
        return token
    }

    /// The token if there is one: SHIPPY_TOKEN, otherwise the stored one.
    func knownToken() throws(Failure) -> String? {
        if let token = Environment.value("SHIPPY_TOKEN") {
            guard TokenFile.isToken(token) else { throw Failure(.usage, "SHIPPY_TOKEN is not a token") }
            return token
        }
        return try tokens?.token(for: url)
    }

    /// Stores the token of a log-in or sign-up.
    ///
    /// - Returns: the path of the file.
    func keep(_ token: String?) throws(Failure) -> String {
        guard let token, TokenFile.isToken(token) else { throw Failure.unreadable(url) }
        let tokens = try tokenFile()
        try tokens.keep(token, for: url)
        return tokens.path
    }

    /// - Throws: ``Failure`` when no variable says where the file is.
    func tokenFile() throws(Failure) -> TokenFile {
        guard let tokens else {
            throw Failure(.inputOutput, "the token can't be stored: neither HOME nor XDG_CONFIG_HOME is set")
        }
        return tokens
    }
}

enum Environment {
    /// - Returns: `nil` when it is not set or empty.
    static func value(_ name: String) -> String? {
        guard let value = getenv(name), value[0] != 0 else { return nil }
        return String(cString: value)
    }
}
