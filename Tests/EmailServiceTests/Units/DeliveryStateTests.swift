import CCurl
import NIOCore
import Testing

@testable import EmailService

@Suite("What deliveries decide", .timeLimit(.minutes(1)))
struct DeliveryStateTests {
    private func at(_ milliseconds: Int64) -> NIODeadline { .uptimeNanoseconds(UInt64(milliseconds) * 1_000_000) }

    @Test("so many mails are in flight as there are threads, and no more")
    func bound() {
        var state = DeliveryState(concurrencyMax: 2)
        let begun = [state.begin(now: at(0)), state.begin(now: at(0)), state.begin(now: at(0))]
        #expect(begun == [true, true, false])
        state.end()
        let next = state.begin(now: at(0))
        #expect(next)
    }

    @Test("a server that is down makes a growing pause, then one mail tries, and an answer ends it")
    func pauses() {
        var state = DeliveryState(concurrencyMax: 4)
        var now: Int64 = 0
        var waits: [Duration] = []
        for _ in 0..<12 {
            let begun = [state.begin(now: at(now)), state.begin(now: at(now))]
            #expect(begun == [true, waits.isEmpty])
            if waits.isEmpty { state.end() }
            let wait = state.faulted(now: at(now), random: 0.5)
            // Others that were in flight at the same time don't make it worse.
            _ = state.faulted(now: at(now), random: 0.5)
            state.end()
            waits.append(wait)
            let early = state.begin(now: at(now + 1))
            #expect(!early)
            now += Int64(wait / .milliseconds(1)) + 1
        }
        #expect(waits.first == .milliseconds(500) && waits[1] == .seconds(1) && waits.last == .seconds(30))
        let probes = [state.begin(now: at(now)), state.begin(now: at(now))]
        #expect(probes == [true, false])
        state.serverAnswered()
        let next = state.begin(now: at(now))
        #expect(next)
    }

    @Test("replies mean what they mean at their stage")
    func outcomes() {
        func outcome(_ code: CURLcode, _ stage: SMTPStage, _ reply: Int) -> SMTPOutcome {
            SMTPEnd(code: code, stage: stage, reply: reply, text: "t").outcome
        }
        #expect(outcome(CURLE_OK, .content, 250) == .sent)
        for stage in [SMTPStage.recipient, .data, .content] {
            #expect(outcome(CURLE_SEND_ERROR, stage, 550) == .refused("t"))
            #expect(outcome(CURLE_SEND_ERROR, stage, 450) == .postponed("t"))
            #expect(outcome(CURLE_SEND_ERROR, stage, 421) == .serverFault("t"))
        }
        for stage in [SMTPStage.connect, .hello, .startTLS, .login, .sender] {
            #expect(outcome(CURLE_SEND_ERROR, stage, 554) == .misconfigured("t"))
        }
        #expect(outcome(CURLE_LOGIN_DENIED, .login, 535) == .misconfigured("t"))
        #expect(outcome(CURLE_LOGIN_DENIED, .login, 454) == .serverFault("t"))
        #expect(outcome(CURLE_SEND_ERROR, .recipient, 530) == .misconfigured("t"))
        #expect(outcome(CURLE_PEER_FAILED_VERIFICATION, .startTLS, 220) == .misconfigured("t"))
        #expect(outcome(CURLE_USE_SSL_FAILED, .hello, 250) == .misconfigured("t"))
        #expect(outcome(CURLE_COULDNT_CONNECT, .connect, 0) == .serverFault("t"))
        #expect(outcome(CURLE_OPERATION_TIMEDOUT, .connect, 0) == .serverFault("t"))
        #expect(outcome(CURLE_OPERATION_TIMEDOUT, .recipient, 0) == .serverFault("t"))
        // Whether the server has the mail is unknown: a fault of this mail's try, not of the server.
        #expect(outcome(CURLE_OPERATION_TIMEDOUT, .content, 0) == .postponed("t"))
        #expect(outcome(CURLE_RECV_ERROR, .content, 0) == .postponed("t"))
    }

    @Test("a postponed mail waits longer each time, an hour at most")
    func backoff() {
        let waits = (1...12).map { RetryRules.postponed.wait(after: $0, random: 0.5) }
        #expect(waits.first == .seconds(1) && waits[1] == .seconds(3) && waits.last == .seconds(3_600))
    }
}
