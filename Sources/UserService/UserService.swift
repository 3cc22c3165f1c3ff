import ArgumentParser
import Runtime

@main
struct UserService: ServiceProgram {
    static let configuration = CommandConfiguration(
        commandName: "shippy-user-service", abstract: "user.UserService over gRPC.")
    static let serviceName = "user"

    @OptionGroup var options: ServiceOptions

    func build(_ runtime: ServiceRuntime) async throws -> ServiceParts {
        ServiceParts(front: runtime.rpcServer([]))
    }
}
