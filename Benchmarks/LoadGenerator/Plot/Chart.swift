/// Lines over two axes.
struct Chart {
    struct Line {
        var name: String
        /// 0 to 5: a colour of ``SVG``.
        var color: Int
        var points: [(x: Double, y: Double)]
    }

    /// A part of the x axis with a name.
    struct Band {
        var range: Range<Double>
        var name: String
    }

    static let width = 960.0
    static let height = 300.0
    private static let left = 68.0
    private static let right = 34.0
    private static let top = 52.0
    private static let bottom = 48.0

    var title: String
    var x: Axis
    var y: Axis
    var lines: [Line]
    var bands: [Band] = []

    private func placeX(_ value: Double) -> Double {
        Self.left + x.share(value) * (Self.width - Self.left - Self.right)
    }

    /// Draws it with its upper edge at `offset`.
    func draw(_ svg: inout SVG, offset: Double) {
        let lower = offset + Self.height - Self.bottom
        let upper = offset + Self.top
        func placeY(_ value: Double) -> Double { lower - y.share(value) * (lower - upper) }
        svg.text(title, Self.left, offset + 20, "title")
        legend(&svg, offset + 20)
        drawBands(&svg, upper, lower)
        for tick in y.ticks {
            let place = placeY(tick.value)
            svg.line(Self.left, place, Self.width - Self.right, place, "grid")
            svg.text(tick.text, Self.left - 8, place + 4, "", .end)
        }
        for tick in x.ticks {
            let place = placeX(tick.value)
            svg.line(place, lower, place, lower + 5, "frame")
            svg.text(tick.text, place, lower + 19, "", .middle)
        }
        svg.line(Self.left, lower, Self.width - Self.right, lower, "frame")
        svg.line(Self.left, upper, Self.left, lower, "frame")
        svg.text(x.label, (Self.left + Self.width - Self.right) / 2, lower + 37, "small", .middle)
        svg.uprightText(y.label, 18, (upper + lower) / 2, "small")
        for line in lines {
            svg.path(line.points.map { (x: placeX($0.x), y: placeY($0.y)) }, "c\(line.color)")
        }
    }

    /// From the right edge to the left, beside the title.
    private func legend(_ svg: inout SVG, _ y: Double) {
        var edge = Self.width - Self.right
        for line in lines.reversed() {
            edge -= Double(line.name.count) * 7 + 4
            svg.text(line.name, edge, y)
            svg.line(edge - 24, y - 4, edge - 5, y - 4, "c\(line.color)")
            edge -= 40
        }
    }

    private func drawBands(_ svg: inout SVG, _ upper: Double, _ lower: Double) {
        for (index, band) in bands.enumerated() {
            let left = placeX(band.range.lowerBound)
            let width = placeX(band.range.upperBound) - left
            if index % 2 == 1 { svg.rectangle(left, upper, width, lower - upper, "band") }
            // A name that would run into the next says nothing.
            if width > Double(band.name.count) * 6.2 {
                svg.text(band.name, left + width / 2, upper - 7, "small", .middle)
            }
        }
    }
}
