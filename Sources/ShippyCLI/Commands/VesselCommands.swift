import ArgumentParser

/// `shippy vessel`
struct VesselCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vessel", abstract: "Create, list, find and update vessels.",
        subcommands: [Create.self, List.self, Find.self, Update.self])

    /// Vessels per page; the service's maximum.
    static let pageSize = 1_000

    static let table = Table([
        Table.Column("ID"), Table.Column("NAME"), Table.Column("CONTAINERS", .right), Table.Column("KG", .right),
        Table.Column("AVAILABLE"),
    ])

    /// With what is booked, of what the vessel carries.
    static func row(_ vessel: Vessel) -> [String] {
        [
            vessel.id ?? "", vessel.name ?? "", "\(vessel.bookedContainers ?? 0)/\(vessel.capacity ?? 0)",
            "\(vessel.bookedWeight ?? 0)/\(vessel.maxWeight ?? 0)", vessel.available ?? true ? "yes" : "no",
        ]
    }

    /// A table of the vessel in a response.
    static func lines(_ response: VesselResponse, _ url: GatewayURL) throws(Failure) -> [String] {
        guard let vessel = response.vessel else { throw .unreadable(url) }
        var table = table
        return table.lines([row(vessel)])
    }
}

extension VesselCommand {
    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Creates a vessel. It belongs to the user who is logged in, if any.")

        @Option(help: "The vessel's name.")
        var name: String
        @Option(help: ArgumentHelp("Containers that it carries.", valueName: "number"))
        var capacity: Int32
        @Option(help: ArgumentHelp("Weight that it carries.", valueName: "kg"))
        var maxWeight: Int32
        @Option(help: "The vessel's id (default: the service makes one).")
        var id: String?
        @Flag(help: "Not offered for bookings.")
        var unavailable = false
        @OptionGroup var gateway: GatewayOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let session = try gateway.session()
            let vessel = Vessel(
                id: id, name: name, capacity: capacity, maxWeight: maxWeight, available: !unavailable)
            let response = try session.client.call(
                .createVessel, vessel, token: session.knownToken(), key: IdempotencyKey.random(),
                as: VesselResponse.self)
            try output.show(response) { message throws(Failure) in try lines(message, session.url) }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists all vessels, with what is booked of what they carry.")

        @OptionGroup var gateway: GatewayOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let session = try gateway.session()
            var table = VesselCommand.table
            try Pages.each(
                { token throws(Failure) in
                    try session.client.call(
                        .listVessels, PageRequest(pageSize: VesselCommand.pageSize, pageToken: token),
                        as: VesselResponse.self)
                },
                next: \.nextPageToken, url: session.url
            ) { response throws(Failure) in
                try output.show(response) { table.lines(($0.vessels ?? []).map(row)) }
            }
        }
    }

    struct Find: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Finds the vessel that fits most tightly.")

        @Option(help: ArgumentHelp("Containers to carry.", valueName: "number"))
        var containers: Int32
        @Option(help: ArgumentHelp("Weight to carry.", valueName: "kg"))
        var weight: Int32
        @OptionGroup var gateway: GatewayOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let session = try gateway.session()
            let response = try session.client.call(
                .findVessel, Specification(capacity: containers, maxWeight: weight), as: VesselResponse.self)
            try output.show(response) { message throws(Failure) in try lines(message, session.url) }
        }
    }

    struct Update: ParsableCommand {
        enum Availability: EnumerableFlag {
            case available
            case unavailable
        }

        static let configuration = CommandConfiguration(
            abstract: "Changes the given fields of a vessel. For its owner and operators.")

        @Argument(help: "The vessel's id.")
        var id: String
        @Option(help: "The vessel's name.")
        var name: String?
        @Option(help: ArgumentHelp("Containers that it carries; not below what is booked.", valueName: "number"))
        var capacity: Int32?
        @Option(help: ArgumentHelp("Weight that it carries; not below what is booked.", valueName: "kg"))
        var maxWeight: Int32?
        @Flag(exclusivity: .exclusive, help: "Whether it is offered for bookings.")
        var availability: Availability?
        @OptionGroup var gateway: GatewayOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            try ID.check(id)
            guard !mask.isEmpty else {
                throw ValidationError(
                    "say what to change: --name, --capacity, --max-weight, --available or --unavailable")
            }
        }

        /// The given fields, as the JSON mapping of field masks writes them.
        var mask: String {
            let fields = [
                name == nil ? nil : "name", capacity == nil ? nil : "capacity", maxWeight == nil ? nil : "maxWeight",
                availability == nil ? nil : "available",
            ]
            return fields.compactMap(\.self).joined(separator: ",")
        }

        func run() throws {
            let session = try gateway.session()
            let vessel = Vessel(
                id: id, name: name, capacity: capacity, maxWeight: maxWeight,
                available: availability.map { $0 == .available })
            let response = try session.client.call(
                .updateVessel, VesselUpdate(vessel: vessel, updateMask: mask), token: session.token(),
                as: VesselResponse.self)
            try output.show(response) { message throws(Failure) in try lines(message, session.url) }
        }
    }
}
