import RPC
import SwiftProtobuf

extension RPCRoute {
    /// A method whose requests are decoded and handled only for callers with a valid token.
    public init<Request: Message, Response: Message>(
        _ method: Method<Request, Response>,
        callers: Authenticator,
        handler: @escaping @Sendable (Request, Caller, RequestContext) async throws -> Response
    ) {
        self.init(encoded: method) { request, context in
            let caller = try await callers.caller(of: context)
            return try await handler(request.decode(), caller, context)
        }
    }

    /// A method that asks somebody else while the token is checked, and saves the wait for one of the two.
    ///
    /// To do so it decodes a small request before the token is verified; a larger one waits. In both cases a caller
    /// without a valid token gets that error, not one about the request.
    ///
    /// - Parameters:
    ///   - beside: must change nothing, as it also runs for callers who are then refused; not for those without a token.
    ///   - handler: runs for callers with a good token, with what `beside` found.
    public init<Request: Message, Response: Message, Found: Sendable>(
        _ method: Method<Request, Response>,
        callers: Authenticator,
        beside: @escaping @Sendable (Request, RequestContext) async throws -> Found,
        handler:
            @escaping @Sendable (Request, Result<Found, any Error>, Caller, RequestContext) async throws -> Response
    ) {
        self.init(encoded: method) { encoded, context in
            try callers.requireToken(context)
            guard encoded.byteCount <= decodedBesideBytesMax, let request = try? encoded.decode() else {
                let caller = try await callers.caller(of: context)
                let request = try encoded.decode()
                return try await handler(request, Self.outcome { try await beside(request, context) }, caller, context)
            }
            async let finding = Self.outcome { try await beside(request, context) }
            // Whoever is refused waits for nothing else: leaving cancels what runs beside.
            let caller = try await callers.caller(of: context)
            return try await handler(request, await finding, caller, context)
        }
    }

    private static func outcome<Found>(_ body: () async throws -> Found) async -> Result<Found, any Error> {
        do { return .success(try await body()) } catch { return .failure(error) }
    }
}

/// Largest request that is decoded while its token is being checked, in bytes.
private let decodedBesideBytesMax = 4 * 1024
