import ArgumentParser

/// Shippy's command-line client. Calls the gateway.
@main
struct Shippy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shippy",
        abstract: "Books consignments on vessels, through Shippy's gateway.",
        discussion: """
            Environment variables:
              SHIPPY_URL    the gateway, unless --url is given
              SHIPPY_TOKEN  the token (default: of the last log-in at this gateway)
              SHIPPY_CA     CA certificates (PEM) that verify it, unless --ca is given

            Exit status:
            \(ExitStatus.table)
            """,
        subcommands: [UserCommand.self, VesselCommand.self, ConsignmentCommand.self])

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let failure as Failure {
            Output.error(failure.text)
            exit(withError: ExitCode(failure.status.rawValue))
        } catch {
            // Help, and errors in flags and arguments.
            exit(withError: error)
        }
    }
}
