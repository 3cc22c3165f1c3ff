import Testing

@testable import PostgresStorage
@testable import Storage

@Suite("What traces say about SQL")
struct QuerySummaryTests {
    @Test("a text with one verb and one table is about these")
    func single() {
        let operation = QuerySummary("SELECT id, name FROM users WHERE id = $1 FOR UPDATE").operation
        #expect(operation.operation == "SELECT")
        #expect(operation.collection == "users")
        #expect(operation.summary == "SELECT users")
    }

    @Test("a text with several verbs or tables is about none of them")
    func several() {
        let both = QuerySummary("WITH a AS (INSERT INTO users (id) VALUES ($1)) INSERT INTO outbox (id) VALUES ($1)")
        #expect(both.operation.operation == nil)
        #expect(both.operation.collection == nil)
        #expect(both.operation.summary == "INSERT users INSERT outbox")
        let joined = QuerySummary("SELECT name FROM keys JOIN users ON users.id = keys.id").operation
        #expect(joined.operation == "SELECT")
        #expect(joined.collection == nil)
    }
}
