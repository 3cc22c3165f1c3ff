import CCrypto

/// HMAC with SHA-256 (RFC 2104), by OpenSSL's libcrypto.
enum HMACSHA256 {
    static let byteCount = 32

    /// The authentication code of `message`.
    static func code(of message: some Collection<UInt8>, key: [UInt8]) -> [UInt8] {
        let input = Array(message)
        return [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            var length: UInt32 = 0
            let made = HMAC(EVP_sha256(), key, Int32(key.count), input, input.count, buffer.baseAddress, &length)
            // It fails only without memory or without SHA-256 in the library; a made-up code would let anybody in.
            precondition(made != nil && length == UInt32(byteCount), "libcrypto has no HMAC with SHA-256")
            count = byteCount
        }
    }

    /// Whether two texts are the same. Takes the same time wherever they differ, so that nobody can guess byte by byte.
    static func areEqual(_ first: [UInt8], _ second: [UInt8]) -> Bool {
        first.count == second.count && CRYPTO_memcmp(first, second, first.count) == 0
    }
}
