import Glibc

/// The controlling terminal, also when standard input and output are redirected.
///
/// Secrets are read without echo. Ctrl-C arrives as a byte meanwhile instead of a signal, so that the terminal's settings
/// are always restored.
final class Terminal {
    /// Why no secret was read.
    private enum Ending: Error {
        /// Ctrl-C.
        case interrupted
        /// Ctrl-D, or the terminal was closed.
        case closed
        case tooLong
        case notUTF8
    }

    /// Bytes of a secret.
    static let secretBytesMax = 1_024

    private let file: Int32

    /// - Returns: `nil` when there is no terminal.
    init?() {
        file = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard file >= 0 else { return nil }
    }

    deinit {
        if file >= 0 { close(file) }
    }

    /// Asks for secrets, one after the other.
    ///
    /// - Returns: one secret for each prompt.
    /// - Throws: ``Failure`` when none was typed. Ctrl-C ends the program by SIGINT.
    func secrets(_ prompts: [String]) throws(Failure) -> [String] {
        var before = termios()
        guard tcgetattr(file, &before) == 0 else { throw Self.noTerminal }
        var silent = before
        silent.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
        withUnsafeMutableBytes(of: &silent.c_cc) { characters in
            characters[Int(VMIN)] = 1
            characters[Int(VTIME)] = 0
        }
        guard tcsetattr(file, TCSAFLUSH, &silent) == 0 else { throw Self.noTerminal }
        let outcome = Result { () throws(Ending) in
            var secrets: [String] = []
            for prompt in prompts { secrets.append(try secret(prompt)) }
            return secrets
        }
        tcsetattr(file, TCSADRAIN, &before)
        switch outcome {
        case .success(let secrets): return secrets
        case .failure(.interrupted):
            raise(SIGINT)
            throw Failure(.declined, "interrupted")
        case .failure(.closed): throw Failure(.usage, "no password was typed")
        case .failure(.tooLong):
            throw Failure(.badData, "the password has more than \(Self.secretBytesMax) bytes")
        case .failure(.notUTF8): throw Failure(.badData, "the password is not UTF-8")
        }
    }

    private static let noTerminal = Failure(.usage, "the terminal can't be asked for a password")

    private func secret(_ prompt: String) throws(Ending) -> String {
        _ = FileBytes.write(Array(prompt.utf8), file)
        defer { _ = FileBytes.write([UInt8(ascii: "\n")], file) }
        var secret = SecretLine()
        while true {
            var byte: UInt8 = 0
            let count = read(file, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count == 1 else { throw .closed }
            switch secret.type(byte) {
            case .more: break
            case .done:
                guard secret.bytes.count <= Self.secretBytesMax else { throw .tooLong }
                guard let text = String(validating: secret.bytes, as: UTF8.self) else { throw .notUTF8 }
                return text
            case .interrupted: throw .interrupted
            case .closed: throw .closed
            }
        }
    }
}

/// A line that is being typed, with the editing keys that a terminal handles itself while it echoes.
struct SecretLine {
    enum Effect {
        case more
        case done
        case interrupted
        case closed
    }

    /// At most ``Terminal/secretBytesMax`` + 1; the last one marks the line as too long.
    private(set) var bytes: [UInt8] = []

    mutating func type(_ byte: UInt8) -> Effect {
        switch byte {
        // Line feed and carriage return.
        case 0x0a, 0x0d: return .done
        // Ctrl-C.
        case 0x03: return .interrupted
        // Ctrl-D.
        case 0x04: return bytes.isEmpty ? .closed : .done
        // Ctrl-U.
        case 0x15: bytes.removeAll()
        // Backspace removes a whole scalar, of up to four bytes.
        case 0x08, 0x7f:
            while let last = bytes.popLast(), last & 0xc0 == 0x80 {}
        // Other control characters are ignored.
        case 0..<0x20: break
        default:
            if bytes.count <= Terminal.secretBytesMax { bytes.append(byte) }
        }
        return .more
    }
}
