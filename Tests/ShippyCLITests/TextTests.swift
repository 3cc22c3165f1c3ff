import Foundation
import Testing

@testable import ShippyCLI

@Suite("Text on a terminal")
struct TextTests {
    @Test(
        "what a terminal would act on is shown and not sent to it",
        arguments: [
            ("Ada", "Ada"), ("Kane's Salty Secret", "Kane's Salty Secret"), ("Zoë 京 🚢", "Zoë 京 🚢"),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"), ("two\nlines\r\tx", "two\\nlines\\r\\tx"),
            ("\u{7f}\u{9b}31m", "\\u{7f}\\u{9b}31m"),
            ("a\u{202e}b\u{2066}c", "a\\u{202e}b\\u{2066}c"), ("a\u{2028}b\0", "a\\u{2028}b\\u{0}"),
        ])
    func visible(text: String, shown: String) {
        #expect(text.visible == shown)
        #expect(shown.visible == shown)
    }

    @Test("JSON is one line that says the same, and holds no control character")
    func json() throws {
        let text = "{\n  \"name\": \"a\u{7f}\u{9b}\u{202e}京\\n\",\r\n\t\"id\": 1\n}\n"
        let line = text.visibleJSON
        #expect(line.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f })
        #expect(line.contains(#""a\u007f\u009b\u202e京\n""#), "\(line)")
        struct Named: Decodable, Equatable {
            var name: String
            var id: Int
        }
        let decoder = JSONDecoder()
        #expect(
            try decoder.decode(Named.self, from: Data(line.utf8))
                == decoder.decode(Named.self, from: Data(text.utf8)))
    }

    @Test(
        "columns are counted as terminals show them",
        arguments: [("", 0), ("abc", 3), ("Zoë", 3), ("e\u{301}", 1), ("京都", 4), ("🚢", 2)])
    func width(text: String, columns: Int) {
        #expect(text.displayWidth == columns)
    }

    @Test("a table's columns are as wide as their cells, numbers at the right")
    func table() {
        var table = Table([.init("ID"), .init("KG", .right), .init("NAME")])
        let lines = table.lines([["vessel001", "5", "京都"], ["v", "200000", "a\nb"]])
        #expect(
            lines == [
                "ID             KG  NAME",
                "vessel001       5  京都",
                "v          200000  a\\nb",
            ])
    }

    @Test("a later page has no header, and wider columns where it needs them")
    func pages() {
        var table = Table([.init("ID"), .init("NAME")])
        #expect(table.lines([["a", "x"]]) == ["ID  NAME", "a   x"])
        #expect(table.lines([["abcdef", "y"], ["b", "z"]]) == ["abcdef  y", "b       z"])
        #expect(table.lines([]).isEmpty)
    }

    @Test("an empty table is its header; a long cell is cut")
    func edges() {
        var table = Table([.init("ID"), .init("NAME")])
        #expect(table.lines([]) == ["ID  NAME"])
        let long = table.lines([["a", String(repeating: "x", count: 10_000)]])
        #expect(long.first?.hasSuffix("x…") == true)
        #expect(long.first?.count == 2 + 2 + Table.cellScalarsMax + 1)
    }

    @Test("names and values stand below each other")
    func pairs() {
        #expect(Table.pairs([("id", "1"), ("status", "a\u{1b}")]) == ["id      1", "status  a\\u{1b}"])
    }

    @Test("each exit status has its own number and its line in the README and in the help")
    func exitStatuses() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let readme = try String(
            contentsOf: root.deletingLastPathComponent().appendingPathComponent("README.md"), encoding: .utf8)
        let help = Shippy.helpMessage(columns: 80)
        for status in ExitStatus.allCases {
            #expect(readme.contains("| \(status.rawValue) | \(status.meaning) |"), "\(status)")
            #expect(help.contains("\(status.rawValue)  \(status.meaning)"), "\(status)")
        }
    }
}
