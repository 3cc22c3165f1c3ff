import ArgumentParser
import Runtime

@main
struct EmailService: ServiceProgram {
    static let configuration = CommandConfiguration(
        commandName: "shippy-email-service", abstract: "email.EmailService over gRPC.")
    static let serviceName = "email"

    @OptionGroup var options: ServiceOptions

    func build(_ runtime: ServiceRuntime) async throws -> ServiceParts {
        ServiceParts(front: runtime.rpcServer([]))
    }
}
