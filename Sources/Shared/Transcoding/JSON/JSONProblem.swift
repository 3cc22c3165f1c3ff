import RPC

/// What is wrong with a message as JSON, and where.
package struct JSONProblem: Error {
    enum Reason {
        case wrong(String)
        /// Not JSON, for a reason such as `expected a comma`; the offset is in bytes from the start of the text.
        case syntax(String, offset: Int)
        /// The last step names a field that the message does not have.
        case unknownField(message: String)
        case givenTwice
        case tooManyElements
    }

    private enum Step {
        case field(String)
        case element(Int)
    }

    private let reason: Reason
    /// Path of the problem, innermost first.
    private var steps: [Step] = []

    init(_ reason: Reason) {
        self.reason = reason
    }

    func within(field name: String) -> JSONProblem { within(.field(name)) }

    func within(element index: Int) -> JSONProblem { within(.element(index)) }

    private func within(_ step: Step) -> JSONProblem {
        var problem = self
        problem.steps.append(step)
        return problem
    }

    /// Whether the message has more elements than any may have, rather than something wrong in it.
    package var isTooLarge: Bool {
        if case .tooManyElements = reason { true } else { false }
    }

    /// Where the problem is, relative to the message.
    package var path: String { path(root: "").shortened() }

    private func path(root: String) -> String {
        steps.reversed().reduce(into: root) { path, step in
            switch step {
            case .field(let name): path += path.isEmpty ? name : ".\(name)"
            case .element(let index): path += "[\(index)]"
            }
        }
    }

    /// For people, such as `request.capacity: expected an int32`.
    ///
    /// - Parameter root: path of the message itself; empty for none.
    package func text(root: String) -> String {
        let path = path(root: root)
        switch reason {
        case .wrong(let text): return Self.text(text, at: path)
        case .syntax(let reason, let offset): return Self.text("not valid JSON at byte \(offset): \(reason)", at: path)
        case .unknownField(let message): return "unknown field \"\(path.shortened())\" (\(message) has none)"
        case .givenTwice: return "\(path) is given twice"
        case .tooManyElements: return Self.text("more than \(MessageLimits.elementsMax) elements", at: path)
        }
    }

    private static func text(_ text: String, at path: String) -> String {
        path.isEmpty ? text : "\(path): \(text)"
    }
}
