import LeasedQueue
import Logging
import Runtime
import ServiceLifecycle
import Storage

/// Stores the mails that events ask for, and sends each once.
@main
struct EmailService: ServiceProgram {
    static let commandName = "shippy-email-service"
    static let abstract = "The mails: email.EmailService over gRPC, SMTP out."
    static let serviceName = "email"
    static let ownSettings: [Setting<EmailService>] = [
        Setting(
            variable: "SMTP_URL", .text, otherwise: "mails are stored and logged, not sent",
            """
            `smtp://USER:PASSWORD@HOST:PORT` with STARTTLS, or `smtps://…`; user and password percent-encoded; with \
            `?starttls=required`, `offered` or `never` at its end
            """
        ) { $0.smtpURL = $1 },
        Setting(
            variable: "SMTP_CA", .text, otherwise: "the system's",
            "file with the CA certificates (PEM) that verify the mail server"
        ) { $0.smtpAuthorities = $1 },
        Setting(
            variable: "SMTP_TIMEOUT", .duration, default: "60", "time limit for sending one mail, 1 to 600 seconds"
        ) { $0.smtpTimeout = $1 },
        Setting(
            variable: "MAIL_FROM", .text, default: SMTPSettings.senderDefault,
            "From address of outgoing mail, as `Name <address>`"
        ) { $0.sender = $1 },
    ]

    var configuration = ServiceConfiguration()
    var smtpURL: String?
    var smtpAuthorities: String?
    var smtpTimeout = SMTPSettings.timeoutDefault
    var sender = SMTPSettings.senderDefault

    func build(_ runtime: ServiceRuntime) async throws -> ServiceParts {
        let logger = runtime.logger
        let emails: EmailStore
        do {
            emails = try EmailStore(address: configuration.storeAddress, logger: logger)
        } catch {
            throw ConfigurationError("DB_HOST: \(error.message)")
        }
        let sender = try SMTPSettings.mailbox(sender)
        let pending = PendingWatch(emails.repository, logger: logger)
        DeliveryMetrics.register(pending, in: runtime.metrics)
        var background: [any Service] = [pending]
        let stored: @Sendable (StoredMail) -> Void
        if let settings = try SMTPSettings(url: smtpURL, timeout: smtpTimeout, authorities: smtpAuthorities) {
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
            store: emails.store, storeAddress: emails.description,
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
