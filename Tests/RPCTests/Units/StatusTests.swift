import Testing

@testable import RPC

@Suite("Status")
struct StatusTests {
    private struct Taken: StatusConvertible {
        var status: Status { Status(.alreadyExists, "the id is taken") }
    }

    private struct Unforeseen: Error {}

    @Test("an error that knows its status keeps it")
    func convertible() {
        #expect(Status(Taken()) == Status(.alreadyExists, "the id is taken"))
        #expect(Status(Status(.aborted, "x", metadata: ["a": "b"])) == Status(.aborted, "x", metadata: ["a": "b"]))
        #expect(Status(CancellationError()).code == .cancelled)
        #expect(Status.isExpected(Taken()))
    }

    @Test("an unforeseen error becomes INTERNAL and its text stays here")
    func unforeseen() {
        #expect(Status(Unforeseen()) == Status(.internal, "internal error"))
        #expect(!Status.isExpected(Unforeseen()))
    }

    @Test("every code has the specification's name")
    func names() {
        #expect(Status.Code.allCases.count == 17)
        #expect(Set(Status.Code.allCases.map(\.name)).count == 17)
        for code in Status.Code.allCases { #expect(code.name == code.name.uppercased()) }
        #expect(Status(.notFound, "no vessel").description == "NOT_FOUND: no vessel")
        #expect(Status(.notFound).description == "NOT_FOUND")
    }
}

@Suite("Metadata")
struct MetadataTests {
    @Test("a name may occur more than once, and order is kept")
    func order() {
        var metadata: Metadata = ["a": "1", "b": "2"]
        metadata.add("a", "3")
        #expect(metadata["a"] == "1")
        #expect(metadata.map(\.value) == ["1", "2", "3"])
        #expect(metadata["c"] == nil)
        metadata.set("a", "4")
        #expect(metadata.map(\.name) == ["b", "a"])
        #expect(metadata != ["a": "4", "b": "2"])
        #expect(metadata == ["b": "2", "a": "4"])
    }
}
