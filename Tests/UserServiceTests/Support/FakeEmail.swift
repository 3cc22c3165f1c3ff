import Contracts
import RPC
import Synchronization
import TestSupport

/// A mail service that does what a test asks, behind a real server.
final class FakeEmail: Sendable {
    enum Mood: Sendable {
        case takes
        case rejects(Status)
        /// Until the caller gives up.
        case hangs
    }

    private struct State {
        var mood = Mood.takes
        /// In place of the mood, by email.
        var moods: [String: Mood] = [:]
        var taken: [Email_UserCreated] = []
        var tries = 0
        var running = 0
        var runningMax = 0
    }

    private let state = Mutex(State())

    func set(_ mood: Mood, for email: String? = nil) {
        state.withLock { state in
            if let email { state.moods[email] = mood } else { state.mood = mood }
        }
    }

    /// What was answered with OK, in order, repeats among them.
    var taken: [Email_UserCreated] { state.withLock { $0.taken } }
    var tries: Int { state.withLock { $0.tries } }
    var running: Int { state.withLock { $0.running } }
    var runningMax: Int { state.withLock { $0.runningMax } }

    var routes: [RPCRoute] { [RPCRoute(EmailMethods.process, handler: process)] }

    @Sendable private func process(_ event: Email_UserCreated, _ context: RequestContext) async throws -> Email_Response
    {
        state.withLock { state in
            state.tries += 1
            state.running += 1
            state.runningMax = max(state.runningMax, state.running)
        }
        defer { state.withLock { $0.running -= 1 } }
        while true {
            switch state.withLock({ $0.moods[event.email] ?? $0.mood }) {
            case .takes:
                state.withLock { $0.taken.append(event) }
                return Email_Response()
            case .rejects(let status): throw status
            case .hangs: try await Task.sleep(for: .milliseconds(5))
            }
        }
    }
}
