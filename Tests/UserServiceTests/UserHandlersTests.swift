import Contracts
import RPC
import Runtime
import TestSupport
import Testing

@testable import UserService

@Suite("The user service", .timeLimit(.minutes(10)))
struct UserHandlersTests {
    @Test("who signs up gets an id and a token, can log in, and the event is stored beside the user")
    func signsUp() async throws {
        try await withService { service in
            let created = try await service.call(UserMethods.create, user())
            #expect(created.user.id.utf8.count == 32)
            #expect(created.user.name == "Ada" && created.user.company == "Analytical Engines")
            #expect(created.user.email == "ada@example.com")
            #expect(created.user.password.isEmpty && created.user.token.isEmpty)
            #expect(created.token.valid)
            let checked = try await service.call(UserMethods.validateToken, .with { $0.token = created.token.token })
            #expect(checked.valid && checked.token.isEmpty)
            let login = try await service.call(UserMethods.auth, user("ADA@example.com"))
            #expect(login.valid)
            #expect(try await service.call(UserMethods.validateToken, login).valid)
            let event = try #require(service.users.stories.first?.event)
            #expect(event.userID == created.user.id && event.email == "ada@example.com" && event.name == "Ada")
            #expect(event.occurredAtMicroseconds == TestClock.epoch)
            let stored = try await service.users.everybody
            #expect(stored.count == 1 && stored[0].passwordHash.hasPrefix("$2b$10$"))
        }
    }

    @Test("an id, a token and unknown rights in the request are ignored: the service makes ids")
    func makesIDs() async throws {
        try await withService { service in
            var wish = user()
            wish.id = "mine"
            wish.token = "something"
            let created = try await service.call(UserMethods.create, wish)
            #expect(created.user.id != "mine")
            #expect(created.user.token.isEmpty)
        }
    }

    @Test("requests that break a rule are INVALID_ARGUMENT, and the text names the field")
    func validation() async throws {
        try await withService { service in
            let long = String(repeating: "ö", count: 201)
            let wrong: [(User_User, String)] = [
                (user(name: ""), "name"), (user(name: " \u{a0}\t"), "name"), (user(name: long), "name"),
                (user(name: "Ada\r\nBcc: all@example.com"), "name"), (user(name: "a\u{2028}b"), "name"),
                (user(name: "a\u{85}b"), "name"), (user(name: "a\0b"), "name"),
                (user(company: long), "company"), (user(company: "a\nb"), "company"), (user(company: "a\0"), "company"),
                (user("no address"), "email"), (user("a@b.c\r\nRCPT TO:<x@y.z>"), "email"), (user("a\0@b.cd"), "email"),
                (user(""), "email"), (user(password: "seven 7"), "password"),
                (user(password: String(repeating: "x", count: 73)), "password"),
                (user(password: "long enough\0 but"), "password"), (user(password: ""), "password"),
            ]
            for (request, field) in wrong {
                let refused = await status { try await service.call(UserMethods.create, request) }
                #expect(refused.code == .invalidArgument, "\(request.name) \(request.company) \(request.email)")
                #expect(refused.message.hasPrefix(field))
            }
            #expect(service.handlers.passwords.hasher.runCount == 0)
            let widest = user(
                password: String(repeating: "ö", count: 36), name: String(repeating: "ö", count: 200), company: "")
            #expect(await status { try await service.call(UserMethods.create, widest) } == .ok)
            #expect(await status { try await service.call(UserMethods.auth, widest) } == .ok)
        }
    }

    @Test("an email that is taken is ALREADY_EXISTS, in whatever case it is written")
    func emailTaken() async throws {
        try await withService { service in
            try await service.signUp("ada@example.com")
            let refused = await status { try await service.call(UserMethods.create, user("Ada@Example.COM")) }
            #expect(
                refused == Status(.alreadyExists, "a user with this email exists already", reason: "EMAIL_TAKEN"))
            #expect(service.users.stories.count == 1)
        }
    }

    @Test("a user is found by id; without an id the request is wrong")
    func get() async throws {
        try await withService { service in
            let (id, token) = try await service.signUp("ada@example.com")
            let found = try await service.call(UserMethods.get, .with { $0.id = id }, token: token)
            #expect(found.user.id == id && found.user.email == "ada@example.com" && found.user.password.isEmpty)
            let operatorToken = service.operatorToken()
            for unknown in ["nobody", String(repeating: "i", count: 100_000), "' OR 1=1 --"] {
                for (token, code) in [(token, .permissionDenied), (operatorToken, .notFound)] as [(String, Status.Code)]
                {
                    let refused = await status {
                        try await service.call(UserMethods.get, .with { $0.id = unknown }, token: token)
                    }
                    #expect(refused.code == code)
                }
            }
            for wrong in ["", "a\0b"] {
                let refused = await status {
                    try await service.call(UserMethods.get, .with { $0.id = wrong }, token: token)
                }
                #expect(refused.code == .invalidArgument)
            }
        }
    }

    @Test("Get and GetAll need a token, as `authorization: Bearer` or as `token`")
    func needsToken() async throws {
        try await withService { service in
            let (id, token) = try await service.signUp("ada@example.com")
            let carried: [Metadata] = [
                ["authorization": "Bearer \(token)"], ["authorization": "bearer \(token)"], ["token": token],
            ]
            for metadata in carried {
                let found = try await service.call(UserMethods.get, .with { $0.id = id }, metadata: metadata)
                #expect(found.user.id == id)
                let all = await status {
                    try await service.call(UserMethods.getAll, User_Request(), metadata: metadata)
                }
                #expect(all.code == .permissionDenied)
            }
            let wrong: [(metadata: Metadata, error: UserError)] = [
                ([:], .noToken), (["authorization": "Bearer x"], .badToken), (["token": ""], .noToken),
                (["authorization": "Basic \(token)"], .noToken),
            ]
            for (metadata, error) in wrong {
                let get = await status {
                    try await service.call(UserMethods.get, .with { $0.id = id }, metadata: metadata)
                }
                let getAll = await status {
                    try await service.call(UserMethods.getAll, User_Request(), metadata: metadata)
                }
                #expect(get == error.status)
                #expect(getAll == error.status)
            }
        }
    }

    @Test("people see themselves, operators everybody; who is refused does not learn who exists")
    func rights() async throws {
        try await withService { service in
            let (ada, adas) = try await service.signUp("ada@example.com")
            let (bob, bobs) = try await service.signUp("bob@example.com")
            let operatorToken = service.operatorToken()
            for (id, token, code) in [
                (ada, adas, .ok), (bob, adas, .permissionDenied), (ada, bobs, .permissionDenied),
                ("none", adas, .permissionDenied), (ada, operatorToken, .ok), (bob, operatorToken, .ok),
            ] as [(String, String, Status.Code)] {
                let outcome = await status {
                    try await service.call(UserMethods.get, .with { $0.id = id }, token: token)
                }
                #expect(outcome.code == code)
            }
            let all = try await service.call(UserMethods.getAll, User_Request(), token: operatorToken).users
            #expect(all.map(\.id) == [ada, bob] && all.allSatisfy(\.roles.isEmpty))
            #expect(
                await status { try await service.call(UserMethods.getAll, User_Request(), token: adas) }.code
                    == .permissionDenied)
        }
    }

    @Test("OPERATORS names users by their ids, whose tokens and answers say so; others' have no roles")
    func operators() async throws {
        let operators = try Operators(variable: " ada , bob,,")
        #expect(operators.count == 2)
        #expect(operators.roles(of: "ada") == ["operator"] && operators.roles(of: "Ada").isEmpty)
        #expect(try Operators(variable: nil).count == 0)
        for wrong in ["a b", String(repeating: "x", count: 65), "ü"] {
            #expect(throws: ConfigurationError.self) { try Operators(variable: wrong) }
        }
        try await withService { service in
            let (_, token) = try await service.signUp("ada@example.com")
            #expect(try #require(Caller(ofGoodToken: token)).isOperator == false)
            #expect(try #require(Caller(ofGoodToken: service.operatorToken())).isOperator)
        }
    }

    @Test("with the check switched off nobody needs a token")
    func authDisabled() async throws {
        try await withService(ServiceWishes(needsToken: false)) { service in
            let (id, _) = try await service.signUp("ada@example.com")
            #expect(try await service.call(UserMethods.get, .with { $0.id = id }).user.id == id)
            #expect(try await service.call(UserMethods.getAll, User_Request()).users.count == 1)
            let refused = await status { try await service.call(UserMethods.validateToken, User_Token()) }
            #expect(refused == UserError.badToken.status)
        }
    }

    @Test("everything answers under auth.Auth too, and a key used by one name holds for the other")
    func alias() async throws {
        try await withService { service in
            let create = Method<User_User, User_Response>(service: UserMethods.alias, name: "Create")
            let first = try await service.call(create, user(), metadata: ["idempotency-key": "k"])
            let again = try await service.call(UserMethods.create, user(), metadata: ["idempotency-key": "k"])
            #expect(first == again)
            let auth = Method<User_User, User_Token>(service: UserMethods.alias, name: "Auth")
            let token = try await service.call(auth, user()).token
            let validate = Method<User_Token, User_Token>(service: UserMethods.alias, name: "ValidateToken")
            #expect(try await service.call(validate, .with { $0.token = token }).valid)
            #expect(
                service.handlers.routes().map(\.path).sorted()
                    == ["auth.Auth", "user.UserService"].flatMap { name in
                        ["Auth", "Create", "Get", "GetAll", "ValidateToken"].map { "/\(name)/\($0)" }
                    })
        }
    }
}
