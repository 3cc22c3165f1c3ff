import RPC

/// Names for things that came without one.
package enum Identifier {
    /// 128 random bits of the system's generator as 32 hexadecimal digits.
    package static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        return Hexadecimal.text(generator.next(), generator.next())
    }
}
