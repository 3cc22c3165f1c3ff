import Contracts
import Idempotency
import RPC
import Runtime
import SwiftProtobuf

/// The rules of `user.UserService`.
struct UserHandlers: Sendable {
    static let pageSizeStandard = 100
    static let pageSizeMax = 1_000
    /// Bytes of a page. Pages of long names end early: the answer is one message, and messages are limited to 4 MiB.
    static let pageBytesMax = 2 * 1024 * 1024

    let repository: any UserRepository
    let tokens: Tokens
    let passwords: PasswordCheck
    let clock: UserClock
    /// Creation times of users, which only grow, so that a new user comes after all others in pages.
    private let times: MonotonicTimestamps
    /// False with `DISABLE_AUTH=true`.
    var needsToken: Bool

    init(
        repository: any UserRepository, tokens: Tokens, passwords: PasswordCheck, clock: UserClock,
        needsToken: Bool = true
    ) {
        self.repository = repository
        self.tokens = tokens
        self.passwords = passwords
        self.clock = clock
        self.needsToken = needsToken
        times = MonotonicTimestamps(now: clock.microseconds)
    }

    func creationTime(_ deadline: Deadline) async throws -> Int64 {
        if times.needsNewest { times.record(newest: try await repository.newestCreation(deadline: deadline)) }
        return times.next()
    }

    func auth(_ request: User_User, _ context: RequestContext) async throws -> User_Token {
        try UserRules.checkLogin(request)
        let user = try await passwords.user(email: request.email, password: request.password, context) {
            // Longer ones belong to nobody, and are not worth the store's time.
            guard request.email.utf8.count <= EmailAddress.byteCountMax else { return nil }
            return try await repository.user(email: request.email, deadline: context.deadline)
        }
        guard let user else { throw UserError.wrongCredentials }
        var response = User_Token()
        response.token = tokens.sign(user)
        response.valid = true
        return response
    }

    /// Does not repeat the token: who asks has it.
    func validateToken(_ request: User_Token, _ context: RequestContext) async throws -> User_Token {
        try tokens.check(request.token)
        var response = User_Token()
        response.valid = true
        return response
    }

    func get(_ request: User_User, _ caller: Caller, _ context: RequestContext) async throws -> User_Response {
        try UserRules.checkNoNUL(request)
        guard !request.id.isEmpty else { throw UserError.invalid("id", "id must not be empty") }
        // Before the store is read, so that the answer does not tell whether the user exists.
        guard caller.may(.seeUser(id: request.id)) else { throw UserError.notAllowed }
        guard request.id.utf8.count <= UserRules.idByteCountMax,
            let user = try await repository.user(id: request.id, deadline: context.deadline)
        else { throw UserError.unknownUser }
        var response = User_Response()
        response.user = shown(user)
        return response
    }

    /// A page size above the maximum is taken for the maximum: the caller goes on with the next page as always.
    func getAll(
        _ request: User_Request, _ caller: Caller, _ context: RequestContext
    ) async throws -> User_Response {
        guard caller.may(.listUsers) else { throw UserError.notAllowed }
        guard request.pageSize >= 0 else { throw UserError.invalid("page_size", "page_size must not be negative") }
        let size = request.pageSize == 0 ? Self.pageSizeStandard : min(Int(request.pageSize), Self.pageSizeMax)
        let after = request.pageToken.isEmpty ? nil : try PageToken.position(request.pageToken)
        // One more than asked for tells whether there is another page.
        let users = try await repository.page(after: after, limit: size + 1, deadline: context.deadline)
        var response = User_Response()
        let shown = users.prefix(Self.count(of: users, limit: size))
        response.users = shown.map(self.shown)
        if users.count > shown.count, let last = shown.last {
            response.nextPageToken = PageToken.text(
                UserPosition(createdAtMicroseconds: last.createdAtMicroseconds, id: last.id))
        }
        return response
    }

    /// How many of `users` fit into a page, by number and by bytes; at least one, if there is one.
    private static func count(of users: [StoredUser], limit: Int) -> Int {
        var bytes = 0
        for (index, user) in users.prefix(limit).enumerated() {
            // 32 bytes for tags and lengths.
            bytes += 32 + user.id.utf8.count + user.name.utf8.count + user.company.utf8.count + user.email.utf8.count
            if bytes > pageBytesMax { return max(1, index) }
        }
        return min(limit, users.count)
    }

    private func caller(_ context: RequestContext) async throws -> Caller {
        guard needsToken else { return .anybody }
        guard let token = context.metadata.bearerToken, !token.isEmpty else { throw UserError.noToken }
        try tokens.check(token)
        guard let caller = Caller(ofGoodToken: token) else { throw UserError.badToken }
        return caller
    }

    /// A method for callers with a valid token; the requests of others are not decoded.
    private func authenticated<Request: Message, Response: Message>(
        _ method: Method<Request, Response>, as service: String?,
        handler: @escaping @Sendable (Request, Caller, RequestContext) async throws -> Response
    ) -> RPCRoute {
        RPCRoute(encoded: method, as: service) { request, context in
            let caller = try await caller(context)
            return try await handler(request.decode(), caller, context)
        }
    }

    /// A user as callers see it: without password, hash or token.
    func shown(_ user: StoredUser) -> User_User {
        var shown = User_User()
        shown.id = user.id
        shown.name = user.name
        shown.company = user.company
        shown.email = user.email
        shown.roles = tokens.operators.roles(of: user.id)
        return shown
    }
}

extension UserHandlers {
    /// What the service's server offers: everything under both of its names.
    func routes() -> [RPCRoute] {
        [nil, UserMethods.alias].flatMap { service in
            [
                RPCRoute(UserMethods.create, as: service, handler: create),
                authenticated(UserMethods.get, as: service, handler: get),
                authenticated(UserMethods.getAll, as: service, handler: getAll),
                RPCRoute(UserMethods.auth, as: service, handler: auth),
                RPCRoute(UserMethods.validateToken, as: service, handler: validateToken),
            ]
        }
    }
}

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

/// The time of day, for what is stored and for tokens; tests bring their own.
struct UserClock: Sendable {
    static let microsecondsPerSecond: Int64 = 1_000_000

    /// Since 1970 in UTC.
    let microseconds: @Sendable () -> Int64

    @Sendable func seconds() -> Int64 { microseconds() / Self.microsecondsPerSecond }

    static let system = UserClock { WallClock.microseconds }
}
