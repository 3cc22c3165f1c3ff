import RPC
import Testing

@testable import Runtime
@testable import RuntimeFixture

@Suite("Flags and environment")
struct ConfigurationTests {
    private func service(
        _ flags: [String] = [], _ environment: [String: String] = [:]
    ) throws -> ServiceConfiguration {
        try RuntimeFixture(flags, environment: environment).configuration
    }

    private func complaint(_ flags: [String] = [], _ environment: [String: String] = [:]) -> String {
        do {
            return "no complaint: \(try service(flags, environment))"
        } catch let error as ConfigurationError {
            return error.description
        } catch {
            return "another error: \(error)"
        }
    }

    @Test("without flags and variables the defaults of the contract hold")
    func defaults() throws {
        let configuration = try service()
        #expect(configuration.address == HostPort(host: "", port: 8080))
        #expect(configuration.adminAddress == HostPort(host: "", port: 9090))
        #expect(configuration.logLevel == .info)
        #expect(configuration.drainTimeout == .seconds(20))
        #expect(configuration.connectWait == .seconds(2))
        #expect(configuration.storeTimeout == nil)
        #expect(configuration.connectionAgeMax == .seconds(300))
        #expect(configuration.threads >= 1)
        #expect(configuration.tls == TLSFiles())
        #expect(configuration == ServiceConfiguration())
    }

    @Test("a memory limit is in bytes, with an optional unit, and has a minimum")
    func memoryLimit() throws {
        #expect(try service().memoryLimitBytes == nil)
        let sizes = [
            "256Mi": 256 << 20, "1GiB": 1 << 30, "65536Ki": 64 << 20, "268435456": 256 << 20, "64MiB": 64 << 20,
        ]
        for (text, bytes) in sizes {
            #expect(try service([], ["MEMORY_LIMIT": text]).memoryLimitBytes == bytes, "\(text)")
            #expect(try service(["--memory_limit=\(text)"], ["MEMORY_LIMIT": "1Gi"]).memoryLimitBytes == bytes)
        }
        for text in ["", "0", "63Mi", "256M", "256 Mi", "-256Mi", "1e9", "9999999999Gi", "99999999999999999999", "Mi"]
        where !text.isEmpty {
            #expect(complaint(["--memory_limit=\(text)"]).contains("--memory_limit: '\(text)'"), "\(text)")
        }
    }

    @Test("the maximum age of connections is a time, or 0 for none")
    func connectionAge() throws {
        #expect(try service([], ["MAX_CONNECTION_AGE": "10"]).connectionAgeMax == .seconds(10))
        let both = try service(["--max_connection_age=2m"], ["MAX_CONNECTION_AGE": "10"])
        #expect(both.connectionAgeMax == .seconds(120))
        for zero in ["0", "0s", "0.0"] {
            #expect(try service(["--max_connection_age=\(zero)"]).connectionAgeMax == nil, "\(zero)")
        }
        #expect(complaint(["--max_connection_age=-1"]).hasPrefix("--max_connection_age: '-1' is not a time"))
        #expect(complaint([], ["MAX_CONNECTION_AGE": "old"]).hasPrefix("MAX_CONNECTION_AGE: 'old' is not a time"))
    }

    @Test("a variable is read, and a flag wins over it")
    func flagWins() throws {
        let environment = [
            "MICRO_SERVER_ADDRESS": ":50051", "MICRO_SELECTOR": "static", "ADMIN_ADDRESS": "127.0.0.1:9051",
            "LOG_LEVEL": "WARNING", "DRAIN_TIMEOUT": "1500ms", "STORE_TIMEOUT": "30", "CONNECT_WAIT": "750ms",
        ]
        let fromVariables = try service([], environment)
        #expect(fromVariables.address.port == 50051)
        #expect(fromVariables.adminAddress == HostPort(host: "127.0.0.1", port: 9051))
        #expect(fromVariables.logLevel == .warning)
        #expect(fromVariables.drainTimeout == .milliseconds(1_500))
        #expect(fromVariables.connectWait == .milliseconds(750))
        #expect(fromVariables.storeTimeout == .seconds(30))

        let flags = [
            "--server_address=:1", "--selector=static", "--admin_address", ":2", "--log_level=debug",
            "--drain_timeout=2m", "--connect_wait=4", "--store_timeout=0.5", "--threads=3",
        ]
        let fromFlags = try service(flags, environment)
        #expect(fromFlags.address.port == 1)
        #expect(fromFlags.adminAddress.port == 2)
        #expect(fromFlags.logLevel == .debug)
        #expect(fromFlags.drainTimeout == .seconds(120))
        #expect(fromFlags.connectWait == .seconds(4))
        #expect(fromFlags.storeTimeout == .milliseconds(500))
        #expect(fromFlags.threads == 3)
    }

    @Test("an empty variable counts as unset")
    func emptyVariable() throws {
        #expect(try service([], ["MICRO_SERVER_ADDRESS": "", "LOG_LEVEL": ""]) == service())
    }

    @Test("what can't be used is named with its flag or variable, in one line")
    func complaints() {
        #expect(complaint(["--server_address=here"]).hasPrefix("--server_address: 'here' is not an address"))
        #expect(complaint([], ["MICRO_SERVER_ADDRESS": ":99999"]).hasPrefix("MICRO_SERVER_ADDRESS: ':99999'"))
        #expect(complaint(["--admin_address=:x"]).hasPrefix("--admin_address: ':x'"))
        #expect(complaint([], ["LOG_LEVEL": "loud"]).hasPrefix("LOG_LEVEL: 'loud' is not a log level"))
        #expect(complaint(["--selector=dns"]).hasPrefix("--selector: 'dns' is not a selector"))
        #expect(complaint([], ["THREADS": "0"]).hasPrefix("THREADS: '0' is not a whole number from 1 to 256"))
        #expect(complaint(["--tls_cert=a.pem"]).hasPrefix("TLS needs both"))
        for bad in ["0", "-1", "abc", "1e9", "inf", "nan", "5d", "90000"] {
            #expect(
                complaint(["--drain_timeout=\(bad)"]).hasPrefix("--drain_timeout: '\(bad)' is not a time"), "\(bad)")
            #expect(
                complaint(["--connect_wait=\(bad)"]).hasPrefix("--connect_wait: '\(bad)' is not a time"), "\(bad)")
        }
        #expect(!complaint(["--server_address=a\nb"]).contains("no complaint"))
    }

    @Test("an unknown flag is refused")
    func unknownFlag() {
        #expect(
            complaint(["--sever_address=:1"])
                == "Unknown option '--sever_address'. Did you mean '--server_address'?; see --help")
        #expect(complaint(["--nothing_like_it", "more"]) == "Unknown option '--nothing_like_it'; see --help")
        #expect(complaint(["-x"]) == "Unknown option '-x'; see --help")
    }

    @Test("a value stands behind its flag, with or without =; the last one counts")
    func values() throws {
        #expect(try service(["--threads", "2", "--threads=3"]).threads == 3)
        for flags in [["--threads"], ["--threads="], ["--threads", "--seed"], ["--threads", "--help"]] {
            #expect(complaint(flags) == "Missing value for '--threads <count>'; see --help", "\(flags)")
        }
        #expect(
            complaint(["--seed=true"])
                == "The option '--seed' does not take any value, but 'true' was specified.; see --help")
    }

    @Test("an empty value behind = is no value: the next word is, and a switch needs none")
    func emptyValues() throws {
        #expect(try service(["--threads=", "2"]).threads == 2)
        #expect(complaint(["--seed=", "--threads=x"]) == "--threads: 'x' is not a whole number from 1 to 256")
    }

    @Test("files for TLS come from flags or variables, each to its place")
    func tlsFiles() throws {
        let variables = try service([], ["TLS_CERT": "c", "TLS_KEY": "k", "TLS_CA": "a"]).tls
        #expect(variables.certificate == "c" && variables.key == "k" && variables.authorities == "a")
        let flags = try service(["--tls_cert=C", "--tls_key=K"], ["TLS_CERT": "c", "TLS_KEY": "k"]).tls
        #expect(flags.certificate == "C" && flags.key == "K")
    }

    @Test("words that are no flags are refused")
    func surplus() {
        #expect(complaint(["extra"]) == "Unexpected argument 'extra'; see --help")
        #expect(complaint(["extra", "", "-"]) == "3 unexpected arguments: 'extra', '', '-'; see --help")
        #expect(complaint(["--seed", "--", "--help"]) == "Unexpected argument '--help'; see --help")
    }

    @Test(
        "--help is answered whatever else is wrong",
        arguments: [["--help"], ["-h", "--bad"], ["--bad", "x", "--help"]])
    func help(flags: [String]) throws {
        #expect(try Arguments(flags, RuntimeFixture.settings).asksHelp)
    }

    @Test("help has a row for each flag and variable, wrapped at 80 columns")
    func helpRows() {
        let help = Setting.help(of: "program", abstract: "What it is.", RuntimeFixture.settings)
        #expect(help.split(separator: "\n").allSatisfy { $0.count <= 80 })
        #expect(help.hasPrefix("OVERVIEW: What it is.\n\nUSAGE: program <options>\n\nOPTIONS:\n  --server_address"))
        let row = """
              --drain_timeout <seconds>
                                      time for calls in flight to finish after SIGTERM
                                      [DRAIN_TIMEOUT] (default: 20)

            """
        #expect(help.contains(row))
        #expect(help.contains("  --seed                  does nothing [SEED_DATA=true] (default: off)\n"))
        #expect(help.contains("\nVARIABLES:\n  DB_HOST                 mongo:27017 or a mongodb:// URI;"))
    }

    @Test("a service is found by its variable, else by the static rule")
    func serviceAddress() throws {
        let variable = ["VESSEL_ADDRESS": "127.0.0.1:50051"]
        #expect(try ServiceAddress.resolve("vessel", environment: variable) == HostPort(host: "127.0.0.1", port: 50051))
        #expect(try ServiceAddress.resolve("vessel", environment: [:]) == HostPort(host: "vessel", port: 8080))
        for bad in ["vessel", ":8080", "http://vessel:8080", "vessel:0"] {
            #expect(throws: ConfigurationError.self, "\(bad)") {
                try ServiceAddress.resolve("vessel", environment: ["VESSEL_ADDRESS": bad])
            }
        }
    }

    @Test(
        "a switch is read from its variable in the usual words",
        arguments: [
            ("true", true), ("1", true), ("YES", true), ("on", true), ("false", false), ("0", false), ("", false),
        ])
    func boolean(text: String, expected: Bool) throws {
        #expect(try RuntimeFixture([], environment: ["SEED_DATA": text]).seeds == expected)
        #expect(try RuntimeFixture(["--seed"], environment: ["SEED_DATA": text]).seeds)
    }

    @Test("a switch that is neither true nor false is refused")
    func notBoolean() {
        #expect(throws: ConfigurationError("SEED_DATA: 'maybe' is neither true nor false")) {
            try RuntimeFixture([], environment: ["SEED_DATA": "maybe"])
        }
    }
}
