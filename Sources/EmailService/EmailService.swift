import ArgumentParser
import LeasedQueue
import Logging
import Runtime
import ServiceLifecycle
import Storage

/// Stores the mails that events ask for, and sends each once.
@main
struct EmailService: ServiceProgram {
    static let configuration = CommandConfiguration(
        commandName: "shippy-email-service", abstract: "The mails: email.EmailService over gRPC, SMTP out.",
        discussion: """
            SMTP_URL      smtp://user:password@host:port, with ?starttls=required, offered or never; or smtps://…
                          User and password are percent-encoded. Unset: mails are stored and logged, not sent.
            SMTP_CA       A file with the CA certificates (PEM) that verify the mail server (default: the system's).
            SMTP_TIMEOUT  How long one mail may take, 1 to 600 seconds (default: 60).
            MAIL_FROM     From address of outgoing mail, as "Name <address>" (default: \(SMTPSettings.senderDefault)).
            """)
    static let serviceName = "email"

    @OptionGroup var options: ServiceOptions

    func build(_ runtime: ServiceRuntime) async throws -> ServiceParts {
        let logger = runtime.logger
        let emails: EmailStore
        do {
            emails = try EmailStore(address: runtime.settings.variable("DB_HOST"), logger: logger)
        } catch {
            throw ConfigurationError("DB_HOST: \(error.message)")
        }
        let sender = try SMTPSettings.sender(runtime.settings)
        let pending = PendingWatch(emails.repository, logger: logger)
        DeliveryMetrics.register(pending, in: runtime.metrics)
        runtime.watchPools(of: emails.store)
        var background: [any Service] = [pending]
        let stored: @Sendable (StoredMail) -> Void
        if let settings = try SMTPSettings(runtime.settings) {
            let delivery = Self.delivery(settings, emails, sender, runtime)
            background.append(delivery)
            stored = { [wakeup = delivery.worker.wakeup] _ in wakeup.notify() }
        } else {
            logger.warning("SMTP_URL is not set: mails are stored and logged, and sent once the program runs with it")
            stored = { mail in
                logger.notice(
                    "a mail is stored and not sent",
                    metadata: [
                        "event": "\(mail.eventID)", "user": "\(mail.content.userID)",
                        "subject": "\(mail.content.subject)",
                    ])
            }
        }
        let handlers = EmailHandlers(repository: emails.repository, stored: stored)
        return ServiceParts(
            front: runtime.rpcServer(handlers.routes()),
            store: PooledStore(emails.store, address: emails.description),
            background: background)
    }

    private static func delivery(
        _ settings: SMTPSettings, _ emails: EmailStore, _ sender: Mailbox, _ runtime: ServiceRuntime
    ) -> DeliveryService {
        runtime.logger.info(
            "mails go out by SMTP",
            metadata: [
                "server": "\(settings.address.server)", "tls": "\(settings.address.security)",
                "login": "\(settings.address.login != nil)", "from": "\(sender.address)",
            ])
        if settings.address.login != nil, settings.address.security == .never {
            runtime.logger.warning("SMTP_URL says starttls=never: the password goes to the mail server in clear")
        }
        let delivery = MailDelivery(
            transport: MailTransport(settings, logger: runtime.logger), sender: sender, tracer: runtime.tracer,
            logger: runtime.logger)
        let worker = QueueWorker(
            emails.repository, delivery, names: ("a mail", "mails"),
            // The calls that drain afterwards, and the store, need their share of the time for stopping.
            policy: MailDelivery.policy(
                timeout: settings.timeout, stopTimeout: runtime.configuration.drainTimeout / 2),
            gate: delivery.gate, logger: runtime.logger)
        DeliveryMetrics.register(worker.counts, delivery.gate, in: runtime.metrics)
        return DeliveryService(transport: delivery.transport, worker: worker)
    }
}
