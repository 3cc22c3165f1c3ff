import RPC

extension ServiceRuntime {
    /// Asks the user service about callers; lets everybody in, and says so loudly, where `DISABLE_AUTH=true`.
    ///
    /// - Throws: ``ConfigurationError``.
    public func authenticator() throws(ConfigurationError) -> Authenticator {
        if try isAuthenticationDisabled() { return Authenticator(users: nil) }
        return Authenticator(users: try client(of: "user"))
    }

    /// Whether `DISABLE_AUTH` switches the check of tokens off. Logs it when it does.
    public func isAuthenticationDisabled() throws(ConfigurationError) -> Bool {
        guard try settings.boolean(false, "DISABLE_AUTH") else { return false }
        logger.critical("DISABLE_AUTH=true: tokens are not checked, everybody is let in. Never in production")
        return true
    }
}
