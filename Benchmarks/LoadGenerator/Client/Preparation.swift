/// What is there before the load begins: accounts to log in with, and bookings to list.
struct Preparation: Sendable {
    let calls: SingleCalls
    /// Makes the addresses of this run differ from those of others.
    let run: String

    /// - Throws: ``UsageError`` when the system does not take them.
    func accounts(_ count: Int) async throws -> [Account] {
        var accounts: [Account] = []
        for number in 0..<count {
            let email = "load-\(run)-account\(number)@example.com"
            let response = try await calls.send(Requests.signUp(email))
            guard response.status == 200, let token = Self.token(response.body) else {
                throw UsageError(description: "a sign-up before the load was answered with \(Self.brief(response))")
            }
            accounts.append(Account(email: email, token: token))
        }
        return accounts
    }

    /// Stores the vessel that takes the run's bookings.
    ///
    /// - Throws: ``UsageError`` when the system does not take it.
    func vessel(_ account: Account) async throws {
        let response = try await calls.send(Requests.vessel(run), token: account.token)
        guard response.status == 200 else {
            throw UsageError(description: "a vessel before the load was answered with \(Self.brief(response))")
        }
    }

    /// - Throws: ``UsageError`` when the system does not take them.
    func book(_ count: Int, _ account: Account) async throws {
        for _ in 0..<count {
            let response = try await calls.send(Requests.booking, token: account.token)
            guard response.status == 200 else {
                throw UsageError(
                    description: "a booking before the load was answered with \(Self.brief(response)); "
                        + "is there a vessel (vessel service with --seed)?")
            }
        }
    }

    /// The answer's `"token":{"token":"…"`.
    private static func token(_ body: String) -> String? {
        let quoted = body.split(separator: "\"", omittingEmptySubsequences: false)
        // Two quotes around each word: word, colon, word.
        guard let index = quoted.indices.dropLast(2).last(where: { quoted[$0] == "token" && quoted[$0 + 1] == ":" })
        else { return nil }
        let token = quoted[index + 2]
        return token.isEmpty ? nil : String(token)
    }

    /// Never the body of a success, which holds a token.
    private static func brief(_ response: Response) -> String {
        response.status == 200 ? "200 and no token" : "\(response.status): \(response.body.prefix(300))"
    }
}
