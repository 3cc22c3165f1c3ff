import CCurl
import LeasedQueue
import NIOCore
import RPC
import Testing
import Traces

@testable import EmailService

@Suite("What deliveries decide", .timeLimit(.minutes(10)))
struct MailDeliveryTests {
    private let delivery: MailDelivery

    init() throws {
        let settings = SMTPSettings(address: try SMTPAddress("smtp://127.0.0.1:25"))
        delivery = MailDelivery(
            transport: MailTransport(settings, logger: silent), sender: try #require(Mailbox("no-reply@shippy.local")),
            tracer: SpanTracer(buffer: nil), logger: silent)
    }

    private func mail(age: Duration = .zero) -> StoredMail {
        let createdAt = WallTime(milliseconds: WallTime.now.milliseconds - Int64(age / .milliseconds(1)))
        return StoredMail(content: newMail("m"), status: .pending, attempts: 1, lastError: "", createdAt: createdAt)
    }

    @Test("so many mails are in flight as there are threads, and a lease is three of the transport's timeouts")
    func bounds() {
        let policy = MailDelivery.policy(timeout: .seconds(60), stopTimeout: .seconds(10))
        #expect(policy.concurrencyMax == MailTransport.threadCount && policy.claimedAhead == 0)
        #expect(policy.lease == .seconds(180) && policy.stopTimeout == .seconds(10))
        #expect(!policy.finishesTogether && policy.triesMax == nil)
    }

    @Test("a server that is down makes a growing pause, then one mail tries, and an answer ends it")
    func pauses() {
        let gate = QueueGate(pause: MailDelivery.pause)
        var now = NIODeadline.uptimeNanoseconds(0)
        var waits: [Duration] = []
        for _ in 0..<12 {
            #expect(gate.concurrency(of: 4, now: now) == (waits.isEmpty ? 4 : 1))
            let wait = gate.fault(now: now, random: 0.5)
            // Others that were in flight at the same time don't make it worse.
            _ = gate.fault(now: now, random: 0.5)
            waits.append(wait)
            #expect(gate.concurrency(of: 4, now: now + .milliseconds(1)) == 0)
            now = now + TimeAmount(wait) + .milliseconds(1)
        }
        #expect(waits.first == .milliseconds(500) && waits[1] == .seconds(1) && waits.last == .seconds(30))
        #expect(gate.concurrency(of: 4, now: now) == 1)
        gate.open()
        #expect(gate.concurrency(of: 4, now: now) == 4)
    }

    @Test("what concerns one mail ends a pause, and what concerns all of them begins one")
    func outcomes() throws {
        let mail = mail()
        #expect(delivery.outcome(of: .sent, mail) == .done)
        #expect(delivery.outcome(of: .refused("r"), mail) == .deadLetter(reason: "r"))
        #expect(delivery.outcome(of: .postponed("r"), mail) == .retry(after: nil, reason: "r"))
        #expect(!delivery.gate.isHeld)
        for fault in [SMTPOutcome.serverFault("r"), .misconfigured("r")] {
            let outcome = delivery.outcome(of: fault, mail)
            guard case .retry(let wait?, reason: "r") = outcome else {
                Issue.record("\(outcome)")
                continue
            }
            #expect(wait >= .milliseconds(400) && wait <= .milliseconds(600) && delivery.gate.isHeld)
            #expect(delivery.outcome(of: .postponed("r"), mail) == .retry(after: nil, reason: "r"))
            #expect(!delivery.gate.isHeld)
        }
    }

    @Test("an old mail is given up by what the server says, and never by our settings")
    func lifetime() {
        let old = mail(age: MailDelivery.lifetime + .seconds(60))
        #expect(delivery.outcome(of: .sent, old) == .done)
        #expect(delivery.outcome(of: .postponed("r"), old) == .deadLetter(reason: "r"))
        #expect(delivery.outcome(of: .serverFault("r"), old) == .deadLetter(reason: "r"))
        #expect(delivery.gate.isHeld)
        guard case .retry = delivery.outcome(of: .misconfigured("r"), old) else {
            Issue.record("the mail was given up")
            return
        }
    }

    @Test("replies mean what they mean at their stage")
    func replies() {
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
        let backoff = MailDelivery.policy(timeout: .seconds(60), stopTimeout: .zero).backoff
        let waits = (1...12).map { backoff.wait(after: $0, random: 0.5) }
        #expect(waits.first == .seconds(1) && waits[1] == .seconds(3) && waits.last == .seconds(3_600))
    }
}
