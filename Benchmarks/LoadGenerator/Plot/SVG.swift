/// A drawing as text. Holds shapes and words only: no script, nothing fetched.
struct SVG {
    private(set) var body = ""

    /// Places with one digit behind the point: finer than a pixel.
    static func place(_ value: Double) -> String { Text.number(value, 1) }

    static func escape(_ text: String) -> String {
        var escaped = ""
        for character in text.unicodeScalars {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            // XML has no place for control characters, not even escaped.
            case _ where character.value < 32: escaped += " "
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }

    enum Anchor: String { case start, middle, end }

    mutating func text(_ text: String, _ x: Double, _ y: Double, _ style: String = "", _ anchor: Anchor = .start) {
        body +=
            "<text x=\"\(Self.place(x))\" y=\"\(Self.place(y))\" class=\"\(style)\" text-anchor=\"\(anchor.rawValue)\">"
            + "\(Self.escape(text))</text>\n"
    }

    /// Reads from below to above.
    mutating func uprightText(_ text: String, _ x: Double, _ y: Double, _ style: String) {
        body +=
            "<text transform=\"translate(\(Self.place(x)) \(Self.place(y))) rotate(-90)\" class=\"\(style)\" "
            + "text-anchor=\"middle\">\(Self.escape(text))</text>\n"
    }

    mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ style: String) {
        body +=
            "<line x1=\"\(Self.place(x1))\" y1=\"\(Self.place(y1))\" x2=\"\(Self.place(x2))\" "
            + "y2=\"\(Self.place(y2))\" class=\"\(style)\"/>\n"
    }

    mutating func rectangle(_ x: Double, _ y: Double, _ width: Double, _ height: Double, _ style: String) {
        body +=
            "<rect x=\"\(Self.place(x))\" y=\"\(Self.place(y))\" width=\"\(Self.place(max(0, width)))\" "
            + "height=\"\(Self.place(max(0, height)))\" class=\"\(style)\"/>\n"
    }

    mutating func path(_ points: [(x: Double, y: Double)], _ style: String) {
        guard !points.isEmpty else { return }
        let places = points.map { "\(Self.place($0.x)) \(Self.place($0.y))" }
        body += "<path d=\"M\(places.joined(separator: "L"))\" class=\"\(style)\"/>\n"
    }

    /// The whole file.
    ///
    /// - Parameter title: what somebody hears who can't see it.
    func document(width: Double, height: Double, title: String) -> String {
        let size = "\(Self.place(width)) \(Self.place(height))"
        return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(size)\" width=\"\(Self.place(width))\" "
            + "height=\"\(Self.place(height))\" role=\"img\">\n<title>\(Self.escape(title))</title>\n"
            + "<style>\n\(Self.style)</style>\n<rect width=\"100%\" height=\"100%\" class=\"paper\"/>\n\(body)</svg>\n"
    }

    /// Colours that people tell apart who see fewer of them, on light and on dark paper.
    private static let style = """
        text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: #333 }
        .title { font-size: 15px; font-weight: 600; fill: #111 }
        .heading { font-size: 19px; font-weight: 600; fill: #111 }
        .small { font-size: 11px; fill: #666 }
        .paper { fill: #fff }
        .band { fill: #f1f3f6 }
        .grid { stroke: #dde1e6; stroke-width: 1 }
        .frame { stroke: #8a929c; stroke-width: 1 }
        .c0, .c1, .c2, .c3, .c4, .c5 { fill: none; stroke-width: 1.8; stroke-linejoin: round }
        .c0 { stroke: #8a929c; stroke-dasharray: 5 3 } .c1 { stroke: #0072b2 } .c2 { stroke: #c77800 }
        .c3 { stroke: #c4302b } .c4 { stroke: #00845f } .c5 { stroke: #9a4f86 }
        @media (prefers-color-scheme: dark) {
        text { fill: #c9d1d9 } .title, .heading { fill: #f0f3f6 } .small { fill: #9aa4af }
        .paper { fill: #14181d } .band { fill: #1d232b } .grid { stroke: #2c343e } .frame { stroke: #6b7682 }
        .c0 { stroke: #9aa4af } .c1 { stroke: #56b4e9 } .c2 { stroke: #f0a830 } .c3 { stroke: #ff7b72 }
        .c4 { stroke: #2ec99a } .c5 { stroke: #d69ac6 }
        }

        """
}
