/// Names for things that came without one.
package enum Identifier {
    /// 128 random bits of the system's generator as 32 hexadecimal digits.
    package static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        return hexadecimal(generator.next(), generator.next())
    }

    /// Two words as 32 hexadecimal digits.
    static func hexadecimal(_ high: UInt64, _ low: UInt64) -> String {
        let digits = Array("0123456789abcdef".utf8)
        let words = [high, low]
        return String(unsafeUninitializedCapacity: 32) { buffer in
            for index in 0..<32 {
                buffer[index] = digits[Int(truncatingIfNeeded: words[index / 16] >> (60 - 4 * (index % 16))) & 15]
            }
            return 32
        }
    }
}
