import Testing

@testable import ShippyCLI

@Suite("Failures")
struct FailureTests {
    private func failure(_ status: Int, _ body: String, retryAfter: Int = 0) -> Failure {
        Failure(HTTPResponse(status: status, retryAfterSeconds: retryAfter, body: Array(body.utf8)), from: .standard)
    }

    @Test(
        "each status of the gateway leads to its exit status",
        arguments: [
            (301, 70), (400, 65), (401, 77), (403, 77), (404, 66), (405, 65), (408, 75), (409, 65), (413, 65),
            (415, 65), (429, 75), (431, 65), (499, 75), (500, 70), (501, 70), (502, 69), (503, 69),
            (504, 75),
        ])
    func statuses(http: Int, exit: Int) {
        #expect(failure(http, "{}").status.rawValue == Int32(exit))
    }

    @Test("only what may be different soon is tried again")
    func retries() {
        for status in [429, 502, 503, 504] { #expect(failure(status, "{}").mayRetry, "\(status)") }
        for status in [400, 401, 403, 404, 409, 413, 500, 501] { #expect(!failure(status, "{}").mayRetry, "\(status)") }
        for (kind, mayRetry, exit) in [
            (TransportError.Kind.unreachable, true, ExitStatus.unavailable), (.lost, true, .unavailable),
            (.late, true, .tryLater), (.nameUnknown, false, .unavailable), (.untrusted, false, .unavailable),
            (.tooLarge, false, .internalError), (.other, false, .internalError),
        ] {
            let failure = Failure(TransportError(kind: kind, text: "x"), from: .standard)
            #expect(failure.mayRetry == mayRetry && failure.status == exit, "\(kind)")
        }
    }

    @Test("an error is its detail, and what the details say beyond it")
    func details() {
        let field = #"""
            {"id": "shippy.vessel", "code": 400, "detail": "capacity must be above 0", "status": "Bad Request", "details": \#
            [{"@type": "type.googleapis.com/google.rpc.BadRequest", "field_violations": \#
            [{"field": "capacity", "description": "capacity must be above 0"}, {"field": "name", "description": "too long"}]}]}
            """#
        #expect(failure(400, field).text == "capacity must be above 0 (field capacity; field name: too long)")
        let reason = #"""
            {"code": 404, "detail": "no vessel carries it", "details": [{"@type": "x", "reason": "FLEET_FULL", \#
            "domain": "shippy"}, {"@type": "type.googleapis.com/unknown", "value": [1]}]}
            """#
        #expect(failure(404, reason).text == "no vessel carries it (reason FLEET_FULL)")
        let later = #"{"detail": "wait", "details": [{"@type": "x", "retry_delay": "1.500s"}]}"#
        #expect(failure(429, later, retryAfter: 1).text == "wait (try again in 1.5 s)")
        #expect(failure(429, later, retryAfter: 1).retryAfter == .milliseconds(1_500))
        #expect(failure(429, later, retryAfter: 7).retryAfter == .seconds(7))
        #expect(failure(400, #"{"detail": "no JSON", "details": [{"field_violations": [{}]}]}"#).text == "no JSON")
    }

    @Test(
        "an answer that is none of the gateway's still says where it came from",
        arguments: ["", "<html>Bad Gateway</html>", "[]", #"{"detail": 5}"#, "{", #"{"detail": ""}"#])
    func strange(body: String) {
        #expect(failure(502, body).text == "http://localhost:8080 answered 502")
    }

    @Test("a text of any length is cut, and no number of fields makes the line endless")
    func long() {
        let long = String(repeating: "x", count: 100_000)
        #expect(failure(400, #"{"detail": "\#(long)"}"#).text.utf8.count < 1_100)
        let fields = (0..<1_000).map { #"{"field": "f\#($0)", "description": "d"}"# }.joined(separator: ",")
        let text = failure(400, #"{"detail": "x", "details": [{"field_violations": [\#(fields)]}]}"#).text
        #expect(text.contains("field f19: d; and 980 more fields") && !text.contains("f20"), "\(text)")
    }

    @Test(
        "a delay that is none, or longer than a day, is not believed",
        arguments: ["", "s", "1", "-1s", "1e9s", "nans", "xs"])
    func delays(text: String) {
        #expect(failure(429, #"{"details": [{"retry_delay": "\#(text)"}]}"#).retryAfter == nil)
    }

    @Test("pauses double, come apart, and wait for as long as the gateway asks")
    func pauses() {
        let failure = Failure(.unavailable, "x", mayRetry: true)
        var policy = RetryPolicy()
        let pauses = (0..<RetryPolicy.triesMax).map { _ in policy.pause(after: failure, random: 1) }
        #expect(pauses == [.milliseconds(250), .milliseconds(500), .seconds(1), .seconds(2), nil])
        policy = RetryPolicy()
        #expect(policy.pause(after: failure, random: 0) == .milliseconds(125))
        let asked = Failure(.tryLater, "x", mayRetry: true, retryAfter: .seconds(3))
        #expect(policy.pause(after: asked, random: 1) == .milliseconds(3_500))
    }

    @Test("what can't be different soon, or only much later, is not waited for")
    func noPause() {
        var policy = RetryPolicy()
        #expect(policy.pause(after: Failure(.badData, "x")) == nil)
        #expect(policy.pause(after: Failure(.tryLater, "x", mayRetry: true, retryAfter: .seconds(31))) == nil)
        #expect(policy.tries == 1)
    }
}
