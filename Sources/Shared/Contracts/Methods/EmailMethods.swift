import RPC

/// `email.EmailService`: internal, never behind the gateway.
public enum EmailMethods {
    public static let service = "email.EmailService"

    public static let process = Method<Email_UserCreated, Email_Response>(
        service: service, name: "Process", isIdempotent: true)
    public static let get = Method<Email_GetRequest, Email_Response>(
        service: service, name: "Get", isIdempotent: true)
}
