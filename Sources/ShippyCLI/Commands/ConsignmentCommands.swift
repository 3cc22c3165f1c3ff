import ArgumentParser
import Glibc

/// `shippy consignment`
struct ConsignmentCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "consignment", abstract: "Book, list, show and cancel consignments.",
        subcommands: [Create.self, List.self, Show.self, Cancel.self])

    /// Consignments per page; the service's maximum.
    static let pageSize = 1_000

    static let table = Table([
        Table.Column("ID"), Table.Column("STATUS"), Table.Column("VESSEL"), Table.Column("KG", .right),
        Table.Column("CONTAINERS", .right), Table.Column("CREATED"),
    ])

    static func row(_ consignment: Consignment, vessel: String) -> [String] {
        [
            consignment.id ?? "", status(consignment), vessel, "\(consignment.weight ?? 0)",
            "\(consignment.containers?.count ?? 0)", created(consignment),
        ]
    }

    static func status(_ consignment: Consignment) -> String { consignment.status ?? "-" }

    /// In UTC, without the fraction of a second.
    static func created(_ consignment: Consignment) -> String {
        guard let time = consignment.createdAt else { return "-" }
        let bytes = Array(time.utf8)
        // 2026-01-31T09:05:00.123456Z
        guard bytes.count >= 20, bytes.last == UInt8(ascii: "Z") else { return time }
        return "\(String(decoding: bytes[..<10], as: UTF8.self)) \(String(decoding: bytes[11..<19], as: UTF8.self))Z"
    }
}

extension ConsignmentCommand {
    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Books a consignment onto the vessel that fits most tightly.",
            discussion: """
                The file holds the consignment as JSON: description, weight (kg) and containers, each with customer_id, \
                user_id and origin.

                Each booking has an idempotency key, which is printed to standard error. With --key the same file can be \
                sent again and is booked at most once. The command itself retries a few times when the gateway is \
                overloaded or can't be reached.
                """)

        @Argument(help: "A file with JSON, or - for standard input.")
        var file: String
        @Option(help: "The idempotency key, at most 255 bytes (default: a random one).")
        var key: String?
        @OptionGroup var gateway: GatewayOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            if let key, !IdempotencyKey.isValid(key) {
                throw ValidationError(
                    "--key: must have 1 to \(IdempotencyKey.bytesMax) bytes of printable ASCII, and no space around it")
            }
        }

        func run() throws {
            let session = try gateway.session()
            let token = try session.token()
            let consignment = try ConsignmentFile.read(file)
            // Printed before the request is sent, so that an interrupted booking can be repeated.
            let made = key == nil ? IdempotencyKey.random() : nil
            if let made { Output.error("idempotency key: \(made)") }
            let response = try session.client.call(
                .createConsignment, json: consignment, token: token, key: key ?? made, as: ConsignmentResponse.self)
            try output.show(response) { message throws(Failure) in
                guard let booked = message.consignment else { throw .unreadable(session.url) }
                let names = VesselNames(session.client)
                var table = ConsignmentCommand.table
                return table.lines([row(booked, vessel: names.name(of: booked.vesselID ?? ""))])
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists your consignments, oldest first; for operators those of all users.")

        @OptionGroup var gateway: GatewayOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let session = try gateway.session()
            let token = try session.token()
            let names = VesselNames(session.client)
            var table = ConsignmentCommand.table
            try Pages.each(
                { page throws(Failure) in
                    try session.client.call(
                        .getConsignments, PageRequest(pageSize: ConsignmentCommand.pageSize, pageToken: page),
                        token: token, as: ConsignmentResponse.self)
                },
                next: \.nextPageToken, url: session.url
            ) { response throws(Failure) in
                try output.show(response) { message in
                    let rows = (message.consignments ?? []).map { row($0, vessel: names.name(of: $0.vesselID ?? "")) }
                    return table.lines(rows)
                }
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows a consignment with its containers.")

        @Argument(help: "The consignment's id.")
        var id: String
        @OptionGroup var gateway: GatewayOptions
        @OptionGroup var output: OutputOptions

        func validate() throws { try ID.check(id) }

        func run() throws {
            let session = try gateway.session()
            let response = try session.client.call(
                .getConsignments, IDRequest(id: id), token: session.token(), as: ConsignmentResponse.self)
            try output.show(response) { message throws(Failure) in
                guard let consignment = message.consignment else { throw .unreadable(session.url) }
                return Self.lines(consignment, VesselNames(session.client))
            }
        }

        private static func lines(_ consignment: Consignment, _ names: VesselNames) -> [String] {
            let vesselID = consignment.vesselID ?? ""
            let name = names.name(of: vesselID)
            let isNamed = !name.utf8.elementsEqual(vesselID.utf8)
            let pairs = [
                ("id", consignment.id ?? ""), ("status", status(consignment)),
                ("vessel", isNamed ? "\(name) (\(vesselID))" : name), ("weight", "\(consignment.weight ?? 0) kg"),
                ("created", created(consignment)), ("description", consignment.description ?? ""),
            ]
            var table = Table([Table.Column("CUSTOMER"), Table.Column("USER"), Table.Column("ORIGIN")])
            let containers = (consignment.containers ?? []).map {
                [$0.customerID ?? "", $0.userID ?? "", $0.origin ?? ""]
            }
            return Table.pairs(pairs) + [""] + table.lines(containers)
        }
    }

    struct Cancel: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Cancels a booking and releases its room.",
            discussion: "Asks for confirmation when standard input is a terminal.")

        @Argument(help: "The consignment's id.")
        var id: String
        @Flag(help: "Does not ask for confirmation.")
        var yes = false
        @OptionGroup var gateway: GatewayOptions
        @OptionGroup var output: OutputOptions

        func validate() throws { try ID.check(id) }

        func run() throws {
            let session = try gateway.session()
            let token = try session.token()
            guard yes || Output.confirms("Cancel consignment \(id)?") else {
                throw Failure(.declined, "not cancelled")
            }
            let response = try session.client.call(
                .cancelConsignment, IDRequest(id: id), token: token, as: ConsignmentResponse.self)
            try output.show(response) { message throws(Failure) in
                guard let consignment = message.consignment else { throw .unreadable(session.url) }
                return ["\(consignment.id ?? id)  \(status(consignment))"]
            }
        }
    }
}

/// Names of vessels by id, each requested once.
final class VesselNames {
    /// Further vessels are shown by id, so that a list does not cause thousands of calls.
    static let lookupsMax = 50
    /// The service's limit: 200 characters.
    private static let idBytesMax = 800

    private let client: GatewayClient
    // text: bounded before it becomes a key.
    private var names: [String: String] = [:]
    /// False after the vessel service did not answer: each further call may take as long to fail.
    private var isAnswering = true

    init(_ client: GatewayClient) {
        self.client = client
    }

    /// - Returns: the id when there is no name, `-` when there is no id.
    func name(of id: String) -> String {
        guard !id.isEmpty else { return "-" }
        guard id.utf8.count <= Self.idBytesMax else { return id }
        if let name = names[id] { return name }
        guard isAnswering, names.count < Self.lookupsMax else { return id }
        let name = requestedName(of: id) ?? id
        names[id] = name
        return name
    }

    /// - Returns: `nil` when there is no name. A list without names is still useful, so a failure is not the command's.
    private func requestedName(of id: String) -> String? {
        let response: Response<VesselResponse>
        do {
            response = try client.call(.getVessel, IDRequest(id: id), as: VesselResponse.self)
        } catch {
            isAnswering = error.status == .notFound
            return nil
        }
        return response.message.vessel?.name.flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// Reads a file with a consignment as JSON. It is sent unchanged: the gateway checks it and names what is invalid.
enum ConsignmentFile {
    /// The gateway's limit for a body.
    static let bytesMax = 1024 * 1024

    /// - Parameter path: `-` for standard input.
    static func read(_ path: String) throws(Failure) -> [UInt8] {
        let isInput = path.utf8.elementsEqual("-".utf8)
        let name = isInput ? "standard input" : path
        let file = isInput ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw unreadable(name) }
        defer { if !isInput { close(file) } }
        guard let bytes = FileBytes.read(file, bytesMax: bytesMax) else { throw unreadable(name) }
        guard bytes.count <= bytesMax else {
            throw Failure(.badData, "\(name) is larger than the gateway's limit of \(bytesMax / 1024) KiB")
        }
        guard !bytes.isEmpty else { throw Failure(.badData, "\(name) is empty") }
        return bytes
    }

    private static func unreadable(_ name: String) -> Failure {
        Failure(.notFound, "can't read \(name): \(String(cString: strerror(errno)))")
    }
}
