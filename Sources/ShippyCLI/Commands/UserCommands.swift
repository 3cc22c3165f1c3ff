import ArgumentParser

/// `shippy user`
struct UserCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "Sign up, log in, log out.",
        subcommands: [Create.self, Login.self, Logout.self])
}

extension UserCommand {
    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Signs up and stores the token.")

        @Option(help: "Your name.")
        var name: String
        @Option(help: "Your company, if there is one.")
        var company = ""
        @Option(help: "The address to log in with.")
        var email: String
        @OptionGroup var password: PasswordOptions
        @OptionGroup var gateway: GatewayOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let session = try gateway.session()
            // Fails before the sign-up, not after it, where the file can't be used.
            _ = try session.tokenFile().token(for: session.url)
            let signUp = SignUp(
                name: name, company: company, email: email, password: try password.password(twice: true))
            let response = try session.client.call(
                .createUser, signUp, key: IdempotencyKey.random(), as: SignUpResponse.self)
            let path = try session.keep(response.message.token?.token)
            try output.show(response) { _ in
                ["signed up at \(session.url.text) as \(email); the token is in \(path)"]
            }
        }
    }

    struct Login: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Logs in and stores the token.")

        @Option(help: "The address that signed up.")
        var email: String
        @OptionGroup var password: PasswordOptions
        @OptionGroup var gateway: GatewayOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            // HTTP's Basic authentication can't send a colon in the user's name (RFC 7617).
            guard !email.isEmpty, !email.utf8.contains(UInt8(ascii: ":")) else {
                throw ValidationError("--email: '\(email)' is not an email address")
            }
        }

        func run() throws {
            let session = try gateway.session()
            _ = try session.tokenFile().token(for: session.url)
            let response = try session.client.logIn(email: email, password: password.password())
            let path = try session.keep(response.message.token)
            try output.show(response) { _ in
                ["logged in at \(session.url.text) as \(email); the token is in \(path)"]
            }
        }
    }

    struct Logout: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Removes the stored token.",
            discussion: "The token stays valid until it expires, 72 hours after it was issued.")

        @OptionGroup var gateway: GatewayOptions

        func run() throws {
            let url = try gateway.gateway()
            try gateway.tokens?.forget(url)
            try Output.line("logged out of \(url.text)")
        }
    }
}
