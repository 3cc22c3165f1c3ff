import Glibc
import Synchronization

/// Ctrl-C: the first asks for the report of what there is, the second ends the program.
enum Interrupt {
    private static let count = Atomic(0)

    static var came: Bool { count.load(ordering: .relaxed) > 0 }

    static func watch() {
        // Made now: a signal handler must not be the first to touch it.
        _ = count.load(ordering: .relaxed)
        for signal in [SIGINT, SIGTERM] { install(signal) }
    }

    /// The handler only counts, or ends the process: nothing else is allowed in one.
    private static func install(_ number: Int32) {
        signal(number) { _ in
            if Interrupt.count.add(1, ordering: .relaxed).oldValue > 0 { _exit(130) }
        }
    }
}
