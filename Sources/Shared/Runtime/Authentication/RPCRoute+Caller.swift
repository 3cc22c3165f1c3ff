import RPC
import SwiftProtobuf

extension RPCRoute {
    /// A method whose requests are decoded and handled only for callers with a valid token.
    public init<Request: Message, Response: Message>(
        _ method: Method<Request, Response>,
        authenticator: Authenticator,
        handler: @escaping @Sendable (Request, Caller, RequestContext) async throws -> Response
    ) {
        self.init(encoded: method) { request, context in
            let caller = try await authenticator.caller(of: context)
            return try await handler(request.decode(), caller, context)
        }
    }

    /// A method that calls another service while the token is checked, and saves the wait for one of the two.
    ///
    /// To do so it decodes a request of few bytes and elements before the token is verified; a larger one waits. In both
    /// cases a caller without a valid token gets that error, not one about the request.
    ///
    /// - Parameters:
    ///   - lookUp: must change nothing, as it also runs for callers whose token turns out invalid; not for those without a
    ///     token.
    ///   - handler: runs for callers with a valid token, with the result of `lookUp`.
    public init<Request: Message, Response: Message, Found: Sendable>(
        _ method: Method<Request, Response>,
        authenticator: Authenticator,
        concurrently lookUp: @escaping @Sendable (Request, RequestContext) async throws -> Found,
        handler:
            @escaping @Sendable (Request, Result<Found, any Error>, Caller, RequestContext) async throws -> Response
    ) {
        self.init(encoded: method) { encoded, context in
            try authenticator.requireToken(context)
            guard let request = try? encoded.decodeIfSmall() else {
                let caller = try await authenticator.caller(of: context)
                let request = try encoded.decode()
                return try await handler(request, Self.outcome { try await lookUp(request, context) }, caller, context)
            }
            async let finding = Self.outcome { try await lookUp(request, context) }
            // A caller without a valid token waits for nothing else: throwing cancels the look-up.
            let caller = try await authenticator.caller(of: context)
            return try await handler(request, await finding, caller, context)
        }
    }

    private static func outcome<Found>(_ body: () async throws -> Found) async -> Result<Found, any Error> {
        do { return .success(try await body()) } catch { return .failure(error) }
    }
}
