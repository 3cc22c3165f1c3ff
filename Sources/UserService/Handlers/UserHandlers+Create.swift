import Contracts
import Idempotency
import RPC

/// Signing up.
extension UserHandlers {
    /// Longest time by which a token may begin ahead of the clock: a day.
    private static let tokenAheadSecondsMax: Int64 = 86_400

    func create(_ request: User_User, _ context: RequestContext) async throws -> User_Response {
        try UserRules.checkNew(request)
        let claim = try Self.claim(of: request, context)
        if let claim, let first = try await repository.answer(to: claim, deadline: context.deadline) {
            return try await answer(again: first, request, context)
        }
        let passwordHash = try await passwords.hasher.hash(request.password, deadline: context.deadline)
        let user = StoredUser(
            id: Identifier.random(), name: request.name, company: request.company, email: request.email,
            passwordHash: passwordHash, createdAtMicroseconds: try await creationTime(context.deadline))
        let event = UserCreatedEvent(
            id: Identifier.random(), userID: user.id, name: user.name, email: user.email, company: user.company,
            occurredAtMicroseconds: user.createdAtMicroseconds, trace: context.trace)
        let created = try await repository.create(user, event: event, claim: claim, deadline: context.deadline)
        // Another call with the same key may have come in between.
        guard !created.isRepeat else { return try await answer(again: created.user, request, context) }
        return response(created.user)
    }

    /// The claim of the request without its password: a fast hash of a password must not lie in the store.
    ///
    /// Under the method's first name, whichever was called, so that a repeat may come by the other.
    private static func claim(of request: User_User, _ context: RequestContext) throws -> IdempotencyClaim? {
        var request = request
        request.password = ""
        let context = RequestContext(path: UserMethods.create.path, metadata: context.metadata)
        return try IdempotencyClaim(request, context)
    }

    /// What the first call was answered, for whoever knows its password. That makes it a place to guess passwords at, so
    /// guesses count as failed logins.
    private func answer(
        again first: StoredUser, _ request: User_User, _ context: RequestContext
    ) async throws -> User_Response {
        let user = try await passwords.user(email: first.email, password: request.password, context) { first }
        guard let user else { throw UserError.keyUsedBefore }
        return response(user)
    }

    /// The token begins with the user, not now, so that a repeated call gets the same one and none needs to be stored.
    /// A clock that was once far ahead must not make tokens that are valid for that much longer.
    private func response(_ user: StoredUser) -> User_Response {
        var response = User_Response()
        response.user = shown(user)
        let begin = user.createdAtMicroseconds / UserClock.microsecondsPerSecond
        response.token.token = tokens.sign(
            user, issuedAtSeconds: min(begin, clock.seconds() + Self.tokenAheadSecondsMax))
        response.token.valid = true
        return response
    }
}
