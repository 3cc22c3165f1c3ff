import CCrypt
import NIOCore
import Storage

/// libxcrypt's bcrypt with the 32 KiB that it works in. Lives on one thread of ``PasswordHasher``'s pool, and blocks it for
/// tens of milliseconds a call.
///
/// Source: crypt(3), crypt_gensalt(3), crypt(5) of libxcrypt.
final class BcryptWorker: PooledConnection {
    /// How long a hash may wait for a processor that is otherwise idle. Long compared with the 50 ms that it takes, so that
    /// two are seldom made for one; short compared with ``PasswordHasher/waitMax``, so that on a busy machine the calls
    /// behind it are not shed.
    static let idleWaitMax = TimeAmount.milliseconds(500)
    /// How long hashes skip that wait after one has waited for so long: processors that are busy mostly stay so.
    private static let busyMemory = TimeAmount.seconds(5)
    /// The nice value at which hashes are made then. Beside others such a thread gets about a tenth of their time: calls
    /// that need no hashing find a processor even while every hashing thread works. With 5, a third, an overloaded system
    /// answered fewer of them, and no more log-ins.
    private static let niceness: Int32 = 10
    /// How long a hash may take so, some times what it takes in an overload by callers. Beside several programs that never rest
    /// a tenth is too little: then it is made at the ordinary priority, rather than shed.
    private static let niceWaitMax = TimeAmount.milliseconds(800)
    /// The library rejects longer ones; its bound counts the NUL at the end.
    static let passwordBytesMax = Int(CRYPT_MAX_PASSPHRASE_SIZE) - 1

    private let data: UnsafeMutablePointer<crypt_data>
    private let idleWaitMax: TimeAmount
    private let idle: LowPriorityBcrypt?
    private let nice: LowPriorityBcrypt?
    private var busyUntil = NIODeadline.uptimeNanoseconds(0)

    init(idleWaitMax: TimeAmount = BcryptWorker.idleWaitMax) {
        self.idleWaitMax = idleWaitMax
        // The library asks for zeros before the first call; it erases what it worked with by itself.
        data = .allocate(capacity: 1)
        data.initialize(to: crypt_data())
        idle = LowPriorityBcrypt(name: "passwords-idle", .idle)
        nice = LowPriorityBcrypt(name: "passwords-nice", .nice(Self.niceness))
    }

    func close() {
        idle?.stop()
        nice?.stop()
    }

    deinit {
        data.deallocate()
    }

    /// Hashes with a new salt of the system's randomness.
    ///
    /// - Parameter password: without NUL, at most ``passwordBytesMax`` bytes; bytes after the 72nd do not count.
    /// - Throws: `StorageError` when the system gives no randomness.
    func hash(_ password: String, cost: Int = BcryptHash.cost) throws(StorageError) -> BcryptHash {
        let setting = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CRYPT_GENSALT_OUTPUT_SIZE)) {
            buffer -> String? in
            let made: UnsafeMutablePointer<CChar>? =
                crypt_gensalt_rn("$2b$", UInt(cost), nil, 0, buffer.baseAddress, Int32(buffer.count))
            return made.map { String(cString: $0) }
        }
        guard let setting, let hash = BcryptHash(crypt(password, setting)) else {
            throw StorageError(.other, "the password could not be hashed")
        }
        return hash
    }

    /// Whether `hash` was made from `password`; compared in constant time.
    func matches(_ password: String, _ hash: BcryptHash) -> Bool {
        let made = Array(crypt(password, hash.text).utf8)
        let stored = Array(hash.text.utf8)
        guard made.count == stored.count else { return false }
        var difference: UInt8 = 0
        for index in made.indices { difference |= made[index] ^ stored[index] }
        return difference == 0
    }

    /// - Returns: what begins with `*` when the library fails, which no hash does.
    private func crypt(_ password: String, _ setting: String) -> String {
        if let idle, NIODeadline.now() >= busyUntil {
            if let made = idle.crypt(password, setting, timeout: idleWaitMax) { return made }
            busyUntil = .now() + Self.busyMemory
        }
        // `nil` at once while it is still at one that was given up: so beside busy programs some are made at each priority.
        if let made = nice?.crypt(password, setting, timeout: Self.niceWaitMax) { return made }
        let output: UnsafeMutablePointer<CChar>? = crypt_r(password, setting, data)
        return output.map { String(cString: $0) } ?? "*0"
    }
}
