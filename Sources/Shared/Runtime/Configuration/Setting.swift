/// A setting of a program, said once: how it is given, what it means, its default, and where its value goes.
///
/// From a program's table of these come the reading of flags and variables, `--help`, and README's tables.
public struct Setting<Target>: Sendable {
    /// The flag's name without its dashes; `nil` where only variables set it.
    let flag: String?
    /// What stands for the flag's value in `--help`; `nil` for a switch, which takes none.
    let valueName: String?
    /// Whether the flag takes no value, and the variable is true or false.
    let isSwitch: Bool
    /// The first one that is set counts, and a flag overrides them all.
    private(set) var variables: [String]
    /// Words that follow the setting's name; code is between backticks.
    let meaning: String
    /// Read where neither flag nor variable is set.
    let standard: String?
    /// What happens without it, where no value says that.
    let otherwise: String?
    /// Puts the value that a text stands for into the target; then comes the flag or variable that the text is from.
    private let store: @Sendable (inout Target, String, String) throws(ConfigurationError) -> Void

    /// - Parameters:
    ///   - flag: without its dashes; `nil` where only the variable sets it.
    ///   - valueName: what stands for the flag's value in `--help`.
    ///   - standard: the default, as it could be given.
    ///   - otherwise: the default in words, where it can't be given.
    ///   - meaning: what it is, as README and `--help` show it.
    ///   - set: puts the value in its place.
    public init<Value>(
        flag: String? = nil, takes valueName: String? = nil, variable: String? = nil, _ parser: ValueParser<Value>,
        default standard: String? = nil, otherwise: String? = nil, _ meaning: String,
        set: @escaping @Sendable (inout Target, Value) -> Void
    ) {
        self.flag = flag
        self.valueName = valueName
        isSwitch = valueName == nil && Value.self == Bool.self
        variables = variable.map { [$0] } ?? []
        self.standard = standard
        self.otherwise = otherwise
        self.meaning = meaning
        store = { target, text, source throws(ConfigurationError) in
            let value = try parser.value(text, of: source)
            set(&target, value)
        }
    }

    /// A switch that is off unless it is set: the flag takes no value, and the variable is true or false.
    ///
    /// - Parameter set: called when it is on.
    public static func toggle(
        flag: String? = nil, variable: String? = nil, _ meaning: String, set: @escaping @Sendable (inout Target) -> Void
    ) -> Setting {
        let otherwise: String? = variable == nil ? nil : "off"
        return Setting(flag: flag, variable: variable, .boolean, otherwise: otherwise, meaning) { target, isOn in
            if isOn { set(&target) }
        }
    }

    /// Variables that are read where they are used, because their names are made there; only for the texts.
    public static func described(_ variables: [String], otherwise: String? = nil, _ meaning: String) -> Setting {
        var setting = Setting(.text, otherwise: otherwise, meaning) { _, _ in }
        setting.variables = variables
        return setting
    }

    /// Reads the flag, else the variable, else the default.
    ///
    /// - Throws: what can't be used, in one line that names the flag or variable.
    func read(
        into target: inout Target, _ arguments: Arguments, _ environment: Settings
    ) throws(ConfigurationError) {
        guard let (text, source) = given(arguments, environment) else { return }
        try store(&target, text, source)
    }

    private func given(_ arguments: Arguments, _ environment: Settings) -> (text: String, source: String)? {
        if let flag, let text = arguments.values[flag] { return (text, "--\(flag)") }
        for variable in variables {
            if let text = environment.variable(variable) { return (text, variable) }
        }
        return standard.map { (text: $0, source: "default") }
    }
}
