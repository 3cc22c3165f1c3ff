/// A table of text: columns as wide as their cells, two spaces between them.
///
/// Rows are formatted a page at a time, so that lists of any length need bounded memory. A later page may make columns
/// wider.
struct Table {
    enum Alignment: Sendable {
        case left
        /// For numbers.
        case right
    }

    struct Column: Sendable {
        let title: String
        var alignment = Alignment.left

        init(_ title: String, _ alignment: Alignment = .left) {
            self.title = title
            self.alignment = alignment
        }
    }

    /// Unicode scalars of a cell; longer ones are cut. `--json` prints all.
    static let cellScalarsMax = 200

    private let columns: [Column]
    private var widths: [Int]
    private var isHeaderDue = true

    init(_ columns: [Column]) {
        self.columns = columns
        widths = columns.map(\.title.displayWidth)
    }

    /// Formats rows; the first time with the header above.
    ///
    /// - Parameter rows: one cell for each column. Control characters are escaped.
    mutating func lines(_ rows: [[String]]) -> [String] {
        let cells = rows.map { $0.map { $0.shortened(scalarsMax: Self.cellScalarsMax).visible } }
        for row in cells {
            for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.displayWidth) }
        }
        var lines = cells.map(line)
        if isHeaderDue { lines.insert(line(columns.map(\.title)), at: 0) }
        isHeaderDue = false
        return lines
    }

    private func line(_ cells: [String]) -> String {
        var line = ""
        for (index, cell) in cells.enumerated() {
            let isLast = index == columns.count - 1
            let padding = String(repeating: " ", count: widths[index] - cell.displayWidth)
            switch columns[index].alignment {
            case .left: line += isLast ? cell : cell + padding
            case .right: line += padding + cell
            }
            if !isLast { line += "  " }
        }
        return line
    }
}

extension Table {
    /// Formats names and values in two columns.
    static func pairs(_ pairs: [(name: String, value: String)]) -> [String] {
        let width = pairs.map(\.name.displayWidth).max() ?? 0
        return pairs.map { name, value in
            let padding = String(repeating: " ", count: width - name.displayWidth)
            return "\(name)\(padding)  \(value.visible)"
        }
    }
}
