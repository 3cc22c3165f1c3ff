import ArgumentParser
import Glibc

/// How a password is read. Not from an argument, which all users of the machine can see.
struct PasswordOptions: ParsableArguments {
    @Flag(help: "Reads the password from standard input instead of the terminal.")
    var passwordStdin = false

    /// - Parameter twice: asks again, for a new password.
    func password(twice: Bool = false) throws(Failure) -> String {
        passwordStdin ? try Self.fromStandardInput() : try Self.asked(twice: twice)
    }

    private static func asked(twice: Bool) throws(Failure) -> String {
        guard let terminal = Terminal() else {
            throw Failure(.usage, "there is no terminal to ask for the password; use --password-stdin")
        }
        let typed = try terminal.secrets(twice ? ["Password: ", "Once more: "] : ["Password: "])
        let password = typed.first ?? ""
        guard typed.allSatisfy({ $0.utf8.elementsEqual(password.utf8) }) else {
            throw Failure(.badData, "the two passwords differ")
        }
        return try checked(password)
    }

    private static func fromStandardInput() throws(Failure) -> String {
        guard var bytes = FileBytes.read(STDIN_FILENO, bytesMax: Terminal.secretBytesMax + 2) else {
            throw Failure(.inputOutput, "can't read the password: \(String(cString: strerror(errno)))")
        }
        // Without the line end.
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard let password = String(validating: bytes, as: UTF8.self) else {
            throw Failure(.badData, "the password is not UTF-8")
        }
        return try checked(password)
    }

    /// Rejects what can't be sent unchanged. The rules for passwords are the user service's.
    static func checked(_ password: String) throws(Failure) -> String {
        guard !password.isEmpty else { throw Failure(.badData, "the password is empty") }
        guard password.utf8.count <= Terminal.secretBytesMax else {
            throw Failure(.badData, "the password has more than \(Terminal.secretBytesMax) bytes")
        }
        guard !password.utf8.contains(where: { $0 < 0x20 }) else {
            throw Failure(.badData, "the password holds a control character, or more than one line")
        }
        return password
    }
}
