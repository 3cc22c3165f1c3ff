import Glibc

/// Writes results to standard output and errors to standard error. All output goes through here, so that no text can send
/// control characters to a terminal.
enum Output {
    /// Writes lines to standard output.
    ///
    /// - Throws: ``Failure`` with ``ExitStatus/inputOutput`` when they can't be written, as on a full disk.
    static func lines(_ lines: [String]) throws(Failure) {
        try write(lines.map { $0.visible + "\n" }.joined(), STDOUT_FILENO)
    }

    /// Writes a line to standard output.
    static func line(_ line: String) throws(Failure) {
        try lines([line])
    }

    /// Writes a response to standard output, as one line.
    ///
    /// - Parameter bytes: valid JSON.
    static func json(_ bytes: [UInt8]) throws(Failure) {
        try write(String(decoding: bytes, as: UTF8.self).visibleJSON + "\n", STDOUT_FILENO)
    }

    /// Writes a line to standard error.
    static func error(_ line: String) {
        // If standard error can't be written either, the exit status remains.
        try? write("shippy: \(line.visible)\n", STDERR_FILENO)
    }

    /// Writes a line to standard error if that is a terminal: for scripts only errors go there.
    static func note(_ line: String) {
        if isatty(STDERR_FILENO) == 1 { error(line) }
    }

    /// Asks a question on standard error, where standard input is a terminal.
    ///
    /// - Returns: whether the answer is yes; true where there is no terminal.
    static func confirms(_ question: String) -> Bool {
        guard isatty(STDIN_FILENO) == 1 else { return true }
        try? write("\(question.visible) [y/N] ", STDERR_FILENO)
        var answer: [UInt8] = []
        var byte: UInt8 = 0
        while read(STDIN_FILENO, &byte, 1) == 1, byte != UInt8(ascii: "\n") {
            // Longer lines are not yes, so the rest need not be kept.
            if answer.count < 8 { answer.append(byte | 0x20) }
        }
        return answer.elementsEqual("y".utf8) || answer.elementsEqual("yes".utf8)
    }

    private static func write(_ text: String, _ descriptor: Int32) throws(Failure) {
        guard FileBytes.write(Array(text.utf8), descriptor) else {
            throw Failure(.inputOutput, "can't write the output: \(String(cString: strerror(errno)))")
        }
    }
}
