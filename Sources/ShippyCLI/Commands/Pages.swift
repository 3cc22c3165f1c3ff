import ArgumentParser

/// Reads lists page by page.
enum Pages {
    /// Calls `body` with one page after the other, so that a list of any length needs bounded memory.
    ///
    /// - Parameters:
    ///   - page: requests the page of a token; `nil` is the first page.
    ///   - next: the token of the next page; empty or `nil` on the last.
    static func each<Message>(
        _ page: (String?) throws(Failure) -> Response<Message>, next: (Message) -> String?, url: GatewayURL,
        _ body: (Response<Message>) throws(Failure) -> Void
    ) throws(Failure) {
        var token: String?
        repeat {
            let response = try page(token)
            try body(response)
            let following = next(response.message).flatMap { $0.isEmpty ? nil : $0 }
            // The same page again would be a list without end.
            if let following, let token, following.utf8.elementsEqual(token.utf8) { throw .unreadable(url) }
            token = following
        } while token != nil
    }
}

/// Checks ids in arguments.
enum ID {
    /// An empty id would be another request: Get without an id returns a list.
    static func check(_ id: String) throws {
        guard !id.isEmpty else { throw ValidationError("the id must not be empty") }
    }
}
