import CCrypto

/// SHA-256 by OpenSSL's libcrypto.
package enum SHA256 {
    package static let byteCount = 32

    /// The 32 bytes of the digest of `bytes`.
    package static func digest(_ bytes: some Collection<UInt8>) -> [UInt8] {
        let input = Array(bytes)
        var length: UInt32 = 0
        let output = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            let code = EVP_Digest(input, input.count, buffer.baseAddress, &length, EVP_sha256(), nil)
            // It fails only without memory or without SHA-256 in the library; a made-up digest would be worse than an end.
            precondition(code == 1, "libcrypto has no SHA-256")
            count = byteCount
        }
        return output
    }
}
