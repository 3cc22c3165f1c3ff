import Glibc
import NIOCore

/// A value behind one mutex, and the conditions that threads wait on: what blocking pool threads need and Swift's
/// standard library has no counterpart for. The thread sanitizer understands it, unlike the library's `Mutex`.
///
/// `wait` is only for threads that may block. Where `withLock` is called on event loops, its closures must be short.
///
/// Why `@unchecked Sendable` holds: `value` is touched only between lock and unlock of `mutex`, in `withLock` and in
/// `wait`; every access is a separate `inout` access that ends before the mutex is released, also by a wait. The
/// pointers are allocated once, never change, and are freed when nobody can hold a reference any more.
package final class Monitor<Value>: @unchecked Sendable {
    /// What a waiting thread wants after it looked at the value.
    package enum Step<Result> {
        case done(Result)
        case wait
        case waitUntil(NIODeadline)
    }

    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let conditions: UnsafeMutablePointer<pthread_cond_t>
    private let conditionCount: Int
    private let value: UnsafeMutablePointer<Value>

    /// - Parameter count: how many conditions there are to wait on; none where only the mutex is wanted.
    package init(_ initial: Value, conditions count: Int = 0) {
        mutex = .allocate(capacity: 1)
        conditions = .allocate(capacity: count)
        conditionCount = count
        value = .allocate(capacity: 1)
        value.initialize(to: initial)
        check(pthread_mutex_init(mutex, nil))
        var attributes = pthread_condattr_t()
        check(pthread_condattr_init(&attributes))
        // Wall-clock jumps must not stretch a wait.
        check(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC))
        for index in 0..<count { check(pthread_cond_init(conditions + index, &attributes)) }
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        for index in 0..<conditionCount { pthread_cond_destroy(conditions + index) }
        pthread_mutex_destroy(mutex)
        value.deinitialize(count: 1)
        value.deallocate()
        conditions.deallocate()
        mutex.deallocate()
    }

    package func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        check(pthread_mutex_lock(mutex))
        defer { check(pthread_mutex_unlock(mutex)) }
        return try body(&value.pointee)
    }

    /// Calls `step` until it is done, waiting on `condition` in between. Blocks the thread.
    package func wait<Result>(on condition: Int, _ step: (inout Value) -> Step<Result>) -> Result {
        check(pthread_mutex_lock(mutex))
        defer { check(pthread_mutex_unlock(mutex)) }
        while true {
            switch step(&value.pointee) {
            case .done(let result): return result
            case .wait: check(pthread_cond_wait(conditions + condition, mutex))
            case .waitUntil(let instant): wait(on: condition, until: instant)
            }
        }
    }

    /// Wakes one thread that waits on `condition`. Call it without the lock.
    package func signal(_ condition: Int) { check(pthread_cond_signal(conditions + condition)) }

    /// Wakes all threads that wait on `condition`.
    package func broadcast(_ condition: Int) { check(pthread_cond_broadcast(conditions + condition)) }

    private func wait(on condition: Int, until instant: NIODeadline) {
        // NIODeadline counts CLOCK_MONOTONIC nanoseconds, which is the clock of these conditions.
        let nanoseconds = instant.uptimeNanoseconds
        var time = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        let code = pthread_cond_timedwait(conditions + condition, mutex, &time)
        if code != ETIMEDOUT { check(code) }
    }

    /// These calls fail only on misuse (EINVAL, EPERM, EDEADLK), which no caller can repair.
    private func check(_ code: Int32) {
        precondition(code == 0, "a pthread call was misused")
    }
}
