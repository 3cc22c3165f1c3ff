/// Turns error responses and connection errors into failures of a command. The one place that does.
extension Failure {
    /// Unicode scalars of a response's text that are shown. The services' own texts are far shorter.
    static let textScalarsMax = 1_000
    /// Invalid fields that are listed.
    static let fieldsMax = 20

    /// A response whose status is not 2xx.
    init(_ response: HTTPResponse, from url: GatewayURL) {
        let status = ExitStatus(httpStatus: response.status)
        let body = JSONText.decode(ErrorResponse.self, response.body)
        let delays = [Duration.seconds(response.retryAfterSeconds)] + (body?.details ?? []).compactMap(\.delay)
        let retryAfter = delays.max().flatMap { $0 > .zero ? $0 : nil }
        var text = body?.detail?.shortened(scalarsMax: Self.textScalarsMax) ?? ""
        if text.isEmpty {
            text = "\(url.text) answered \(response.status)"
            if (300..<400).contains(response.status) { text += ", a redirect; is this the address of a gateway?" }
        }
        var notes = Self.notes(body?.details ?? [], detail: text)
        if let retryAfter { notes.append("try again in \(retryAfter.shown)") }
        if !notes.isEmpty { text += " (\(notes.joined(separator: "; ")))" }
        self.init(
            status, text, mayRetry: status == .unavailable || [429, 504].contains(response.status),
            retryAfter: retryAfter)
    }

    init(_ error: TransportError, from url: GatewayURL) {
        let text = error.text.shortened(scalarsMax: Self.textScalarsMax)
        switch error.kind {
        case .nameUnknown: self.init(.unavailable, "\(url.text): \(text)")
        case .unreachable: self.init(.unavailable, "can't reach \(url.text): \(text)", mayRetry: true)
        case .lost: self.init(.unavailable, "the connection to \(url.text) was lost: \(text)", mayRetry: true)
        case .late: self.init(.tryLater, "\(url.text) did not respond in time: \(text)", mayRetry: true)
        case .untrusted: self.init(.unavailable, "no safe connection to \(url.text): \(text)")
        case .tooLarge:
            self.init(
                .internalError,
                "the response of \(url.text) is larger than \(HTTPClient.bodyBytesMax / 1024 / 1024) MiB")
        case .other: self.init(.internalError, "\(url.text): \(text)")
        }
    }

    /// A 2xx response that is not the expected message.
    static func unreadable(_ url: GatewayURL) -> Failure {
        Failure(.internalError, "can't read the response of \(url.text); is this the address of a gateway?")
    }

    /// What the details add to the text: fields and reason.
    private static func notes(_ details: [ErrorResponse.Detail], detail text: String) -> [String] {
        var notes: [String] = []
        let violations = details.flatMap { $0.fieldViolations ?? [] }
        for violation in violations.prefix(fieldsMax) {
            guard let field = violation.field, !field.isEmpty else { continue }
            let name = field.shortened(scalarsMax: textScalarsMax)
            let description = (violation.description ?? "").shortened(scalarsMax: textScalarsMax)
            let isKnown = description.isEmpty || description.utf8.elementsEqual(text.utf8)
            notes.append(isKnown ? "field \(name)" : "field \(name): \(description)")
        }
        if violations.count > fieldsMax { notes.append("and \(violations.count - fieldsMax) more fields") }
        for reason in details.compactMap(\.reason).prefix(fieldsMax) where !reason.isEmpty {
            notes.append("reason \(reason.shortened(scalarsMax: textScalarsMax))")
        }
        return notes
    }
}

extension ErrorResponse.Detail {
    /// `retry_delay`: seconds with an `s`, and maybe up to nine digits of a fraction.
    var delay: Duration? {
        guard let retryDelay, retryDelay.utf8.count <= 20, retryDelay.utf8.last == UInt8(ascii: "s"),
            let seconds = Double(retryDelay.dropLast()), (0...86_400).contains(seconds)
        else { return nil }
        return .milliseconds(Int((seconds * 1_000).rounded(.up)))
    }
}

extension Duration {
    /// Seconds for people, with a fraction where there is one: `2 s`, `1.5 s`.
    var shown: String {
        let (whole, tenths) = ((milliseconds + 99) / 100).quotientAndRemainder(dividingBy: 10)
        return tenths == 0 ? "\(whole) s" : "\(whole).\(tenths) s"
    }
}
