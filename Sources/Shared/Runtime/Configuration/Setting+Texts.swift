extension Setting {
    /// The settings as a table of README, with a line feed after each row.
    public static func table(_ settings: [Setting]) -> String {
        "| flag | variable | means | default |\n|---|---|---|---|\n" + settings.map(\.tableRow).joined()
    }

    private var tableRow: String {
        let standard = standard.map { "`\($0)`" } ?? otherwise ?? ""
        let variables = shownVariables.map { "`\($0)`" }.joined(separator: ", ")
        let cells = [flag.map { "`--\($0)`" } ?? "", variables, meaning, standard]
        return cells.map { $0.isEmpty ? "| " : "| \($0) " }.joined() + "|\n"
    }

    /// What `--help` prints.
    static func help(of command: String, abstract: String, _ settings: [Setting]) -> String {
        let flags = settings.filter { $0.flag != nil }.map(\.helpRow)
        let variables = settings.filter { $0.flag == nil }.map(\.helpRow)
        return """
            OVERVIEW: \(abstract)

            USAGE: \(command) <options>

            OPTIONS:
            \(flags.joined(separator: "\n"))
              -h, --help              Show help information.

            VARIABLES:
            \(variables.joined(separator: "\n"))

            """
    }

    private var helpRow: String {
        let variables = shownVariables.joined(separator: ", ")
        let name = flag.map { flag in "--\(flag)" + (valueName.map { " <\($0)>" } ?? "") } ?? variables
        var text = meaning
        if flag != nil, !variables.isEmpty { text += " [\(variables)]" }
        if let standard = standard ?? otherwise { text += " (default: \(standard))" }
        return Self.row(name, text.filter { $0 != "`" })
    }

    /// A switch's variable is shown with what switches it on.
    private var shownVariables: [String] { isSwitch ? variables.map { "\($0)=true" } : variables }

    /// A name, and a text beside it that is wrapped at 80 columns.
    private static func row(_ name: String, _ text: String) -> String {
        let indentation = String(repeating: " ", count: 26)
        var rows: [String] = []
        var row = "  \(name)"
        if row.count > indentation.count - 2 {
            rows.append(row)
            row = indentation
        }
        row += indentation.dropFirst(row.count)
        for word in text.split(separator: " ") {
            if row.count > indentation.count, row.count + 1 + word.count > 80 {
                rows.append(row)
                row = indentation
            }
            row += row.count > indentation.count ? " \(word)" : "\(word)"
        }
        return (rows + [row]).joined(separator: "\n")
    }
}
