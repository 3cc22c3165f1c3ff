import CPlatform
import Glibc

/// A thread of its own for code that blocks, apart from event loops and Swift's cooperative threads.
///
/// Why `@unchecked Sendable` holds: `handle` is written by the initializer and only read afterwards.
package final class PoolThread: @unchecked Sendable {
    /// Drivers keep their buffers on the heap; 1 MiB is several times what SQLite, libmongoc and OpenSSL use.
    private static let stackSizeBytes = 1 << 20

    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    private let handle: pthread_t

    /// - Parameter name: shown by debuggers and `top -H`; Linux keeps the first 15 bytes.
    /// - Throws: ``StorageError`` when the system has no thread left.
    package init(name: String, _ body: @escaping @Sendable () -> Void) throws(StorageError) {
        let start = Unmanaged.passRetained(Start(name: String(name.prefix(15)), body: body))
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, Self.stackSizeBytes)
        var thread = pthread_t()
        let code = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                shippy_thread_set_name(start.name)
                start.body()
                return nil
            }, start.toOpaque())
        guard code == 0 else {
            start.release()
            throw StorageError(.other, "no thread could be started (error \(code))")
        }
        handle = thread
    }

    /// Waits until the body has returned. Call it once.
    package func join() {
        pthread_join(handle, nil)
    }

    /// Nobody joins this thread; its memory goes when its body returns.
    package func detach() {
        pthread_detach(handle)
    }
}
