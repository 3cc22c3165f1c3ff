import CCrypt
import CPlatform
import Glibc
import NIOCore
import Storage

/// bcrypt on a thread of low priority. A thread can't raise its priority again without a privilege, so who waits for a hash
/// waits only for so long, and then has it made elsewhere.
///
/// The thread takes no lock that an event loop could wait for, and neither allocates nor frees: it may be held up at any
/// point.
///
/// Why `@unchecked Sendable` holds: `data` and the texts are allocated once and freed when nobody has a reference any more.
/// The thread works in them while the state is `running`. The texts are written in the state `idle`, and what `data`
/// holds is read in the state `done`, both under the lock.
final class LowPriorityBcrypt: @unchecked Sendable {
    enum Priority {
        /// Runs only where nothing else wants the processor.
        ///
        /// Linux counts a processor that does nothing but SCHED_IDLE work as free: what wakes up elsewhere is put there, and
        /// runs at once (sched(7)). Behind an ordinary thread, however nice, it would wait for the end of that thread's
        /// turn, some milliseconds.
        case idle
        /// This nice value, from 1 to 19.
        case nice(Int32)
    }

    private enum State {
        /// → `asked` by ``crypt(_:_:timeout:)``.
        case idle
        /// → `running` by the thread, → `idle` when nobody waits any more.
        case asked
        /// → `done`, → `idle` when nobody waits any more.
        case running
        /// → `idle` by who waits. The pointer is into `data`.
        case done(UnsafeMutablePointer<CChar>?)
    }

    private struct Guarded {
        var state = State.idle
        var isAwaited = false
        var isStopped = false
    }

    private enum Condition {
        /// The thread: there is something to do.
        static var work: Int { 0 }
        /// Who waits: it is done.
        static var answer: Int { 1 }
        static var count: Int { 2 }
    }

    private let priority: Priority
    private let monitor = Monitor(Guarded(), conditions: Condition.count)
    private let data: UnsafeMutablePointer<crypt_data>
    /// What is asked, each with a NUL at the end.
    private let password: UnsafeMutableBufferPointer<CChar>
    private let setting: UnsafeMutableBufferPointer<CChar>

    /// Starts the thread, which runs until ``stop()``.
    ///
    /// - Returns: `nil` when the system has no thread left.
    init?(name: String, _ priority: Priority) {
        self.priority = priority
        // The library asks for zeros before the first call; it erases what it worked with by itself.
        data = .allocate(capacity: 1)
        data.initialize(to: crypt_data())
        password = .allocate(capacity: BcryptWorker.passwordBytesMax + 1)
        password.initialize(repeating: 0)
        setting = .allocate(capacity: Int(CRYPT_OUTPUT_SIZE))
        setting.initialize(repeating: 0)
        guard let thread = try? PoolThread(name: name, { self.work() }) else { return nil }
        // A hash that it is at when it is stopped may take long, and nobody needs it.
        thread.detach()
    }

    deinit {
        data.deallocate()
        password.deallocate()
        setting.deallocate()
    }

    /// As crypt(3); for one caller at a time, whose thread it blocks.
    ///
    /// - Parameter timeout: for how long to wait.
    /// - Returns: `nil` when the thread did not get to it in time, or is still at what nobody waits for any more, and for
    ///   texts longer than any that crypt(3) takes.
    func crypt(_ password: String, _ setting: String, timeout: TimeAmount) -> String? {
        let isFree = monitor.withLock { guarded in
            guard case .idle = guarded.state, Self.copy(password, to: self.password),
                Self.copy(setting, to: self.setting)
            else { return false }
            guarded.state = .asked
            guarded.isAwaited = true
            return true
        }
        guard isFree else { return nil }
        monitor.signal(Condition.work)
        let end = NIODeadline.now() + timeout
        return monitor.wait(on: Condition.answer) { guarded in
            if case .done(let output) = guarded.state {
                guarded.state = .idle
                return .done(output.map { String(cString: $0) } ?? "*0")
            }
            guard NIODeadline.now() >= end else { return .waitUntil(end) }
            guarded.isAwaited = false
            if case .asked = guarded.state {
                guarded.state = .idle
                // The thread, which does so else, never saw it.
                self.password.update(repeating: 0)
            }
            return .done(nil)
        }
    }

    /// - Returns: false when there is no room for it.
    private static func copy(_ text: String, to buffer: UnsafeMutableBufferPointer<CChar>) -> Bool {
        guard text.utf8.count < buffer.count else { return false }
        var end = 0
        for byte in text.utf8 {
            buffer[end] = CChar(bitPattern: byte)
            end += 1
        }
        // To the end, so that nothing is left of a longer one.
        buffer[end...].update(repeating: 0)
        return true
    }

    /// Ends the thread, when it is done with what it is at.
    func stop() {
        monitor.withLock { $0.isStopped = true }
        monitor.signal(Condition.work)
    }

    private func work() {
        // Where a sandbox forbids it, the thread keeps the priority of the one that started it.
        switch priority {
        case .idle: _ = shippy_thread_run_when_idle()
        case .nice(let value):
            // With 0 for "the caller", Linux means the thread (setpriority(2), "C library/kernel differences").
            _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, value)
        }
        while isToDo() {
            let output: UnsafeMutablePointer<CChar>? = crypt_r(password.baseAddress, setting.baseAddress, data)
            password.update(repeating: 0)
            let isAwaited = monitor.withLock { guarded in
                guarded.state = guarded.isAwaited ? .done(output) : .idle
                return guarded.isAwaited
            }
            if isAwaited { monitor.signal(Condition.answer) }
        }
    }

    /// Waits for something to do.
    ///
    /// - Returns: false when it was stopped.
    private func isToDo() -> Bool {
        monitor.wait(on: Condition.work) { guarded in
            if guarded.isStopped { return .done(false) }
            guard case .asked = guarded.state else { return .wait }
            guarded.state = .running
            return .done(true)
        }
    }
}
