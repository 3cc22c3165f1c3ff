import Foundation
import TestSupport
import Testing

/// Certificates that a test signs itself, in a folder of their own.
struct Certificates {
    let folder: TemporaryFolder
    var authority: String { folder.file("ca.pem") }
    var certificate: String { folder.file("server.pem") }
    var key: String { folder.file("server.key") }
    var serving: [String] { ["--tls_cert=\(certificate)", "--tls_key=\(key)"] }

    /// An authority, and a server's certificate for localhost and 127.0.0.1.
    init() async throws {
        folder = try TemporaryFolder()
        let script = """
            set -e; cd '\(folder.path)'
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj '/CN=test authority' \
              -keyout ca.key -out ca.pem
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj '/CN=localhost' \
              -keyout server.key -out server.csr
            printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\\n' > server.ext
            openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile server.ext \
              -out server.pem
            """
        try await Tool.run("sh", ["-c", script])
    }
}

@Suite("TLS from end to end", .timeLimit(.minutes(10)))
struct TLSTests {
    @Test(
        "curl speaks https to the gateway, which speaks TLS to the vessel service",
        arguments: ["localhost", "127.0.0.1"])
    func throughAndThrough(host: String) async throws {
        let folder = try TemporaryFolder()
        let certificates = try await Certificates()
        let vessel = try await Program.vessel(
            store: "sqlite:" + folder.file("vessel.db"), certificates.serving + ["--seed"])
        var gateway = try await Program.gateway(
            to: vessel, certificates.serving + ["--tls_ca=\(certificates.authority)"])
        gateway.environment["VESSEL_ADDRESS"] = "\(host):\(vessel.port)"
        let vesselRun = try await vessel.startReady()
        let gatewayRun = try await gateway.startReady()
        let curl = ["-s", "--cacert", certificates.authority, "-H", "content-type: application/json", "-d"]
        let url = "https://\(host):\(gateway.port)/rpc"
        let created = try await Tool.run("curl", curl + [VesselJSON().create, url])
        #expect(created.contains("\"created\":true"), "\(created)")

        let plain = try ProcessRun("curl", ["-s", "http://127.0.0.1:\(gateway.port)/healthz"])
        #expect(try await plain.status() != 0)
        let stranger = try ProcessRun("curl", ["-s", "https://127.0.0.1:\(gateway.port)/healthz"])
        #expect(try await stranger.status() == 60, "curl trusts a certificate that no CA verifies")

        let grpc = try await Tool.run(
            Tool.python,
            [Script.path("vessel_client.py"), "localhost:\(vessel.port)", certificates.authority])
        #expect(grpc.contains("seeded vessel001"), "\(grpc)")
        #expect(try await gatewayRun.stop() == 0)
        #expect(try await vesselRun.stop() == 0)
    }

    @Test("a gateway does not trust a service whose certificate is another CA's, nor speak plaintext to it")
    func wrongAuthority() async throws {
        let folder = try TemporaryFolder()
        let certificates = try await Certificates()
        let others = try await Certificates()
        let vessel = try await Program.vessel(store: "sqlite:" + folder.file("vessel.db"), certificates.serving)
        let vesselRun = try await vessel.startReady()
        for flags in [["--tls_ca=\(others.authority)"], []] {
            let gateway = try await Program.gateway(to: vessel, flags)
            let run = try await gateway.start()
            let answer = try await Web.rpc(gateway.port, VesselJSON().create)
            #expect(answer.status == 503, "\(answer)")
            #expect(try await Web.get(gateway.port, "/readyz").status == 503)
            #expect(try await run.stop() == 0)
        }
        #expect(try await vesselRun.stop() == 0)
    }

    @Test("a key that does not belong to the certificate ends the program")
    func foreignKey() async throws {
        let certificates = try await Certificates()
        let others = try await Certificates()
        let run = try await Program.vessel(
            store: "sqlite:none", ["--tls_cert=\(certificates.certificate)", "--tls_key=\(others.key)"]
        ).launch()
        #expect(try await run.status() == 64)
        #expect(
            run.errors.split(separator: "\n").count == 1 && run.errors.contains("don't fit together"), "\(run.errors)")
    }
}
