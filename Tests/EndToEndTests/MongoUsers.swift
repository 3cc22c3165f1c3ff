import TestSupport

extension MongoServer {
    /// Makes a user, whom the server knows from then on, and answers the URI of a fresh database with the credentials.
    ///
    /// - Parameter shown: the password that the URI holds; the right one unless given.
    func uriOfNewUser(_ name: String, password: String, shown: String? = nil) async throws -> String {
        let script = """
            import sys, pymongo
            client = pymongo.MongoClient("mongodb://127.0.0.1:" + sys.argv[1] + "/?directConnection=true")
            client.admin.command("createUser", sys.argv[2], pwd=sys.argv[3], roles=["root"])
            """
        try await Tool.run(Tool.python, ["-c", script, "\(port)", name, password])
        let plain = uri(options: "authSource=admin").dropFirst("mongodb://".count)
        return "mongodb://\(name):\(shown ?? password)@\(plain)"
    }
}
