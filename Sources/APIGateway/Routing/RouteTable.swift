import Contracts
import NIOCore
import RPC
import Runtime
import Transcoding

/// What can be called from outside, and where it leads: the methods that the .proto files declare public. Everything that is
/// not in it does not exist for callers.
struct RouteTable: Sendable {
    /// A method and the client of the service that has it. A class, as each request takes a reference to it.
    final class Entry: Sendable {
        /// The service's short name, which errors carry.
        let service: String
        let route: GatewayRoute
        let client: RPCClient
        let recorder: MethodRecorder?
        /// The method's index in ``RouteTable/queues``.
        let queue: Int
        /// `VesselService.Create`, as bytes to compare.
        fileprivate let name: [UInt8]

        fileprivate init(
            service: String, route: GatewayRoute, client: RPCClient, queue: Int, recorder: MethodRecorder?
        ) {
            self.queue = queue
            self.service = service
            self.route = route
            self.client = client
            self.recorder = recorder
            name = Array("\(route.interface).\(route.method)".utf8)
        }
    }

    /// A service as callers name it.
    private struct Service: Sendable {
        let name: [UInt8]
        /// Whether it is another name of a service that is there already.
        let isAlias: Bool
        let entries: [Entry]
    }

    /// The services that can be reached from outside at all, in the order in which they are listed.
    static let serviceNames = Schema.contracts.publicServices.map(\.package)

    /// The messages of the methods.
    let schema: Schema
    private let services: [Service]
    /// Auth as `GET /login` offers it; `nil` without a user service. It has the same queue as Auth.
    let login: Entry?
    /// One entry for each method that has a queue of its own.
    let queues: [Entry]
    private let prefix: [UInt8]

    /// - Parameters:
    ///   - schema: its public services are those that there are.
    ///   - clients: one for each service that is configured, by short name.
    ///   - calls: counts the calls of each method; `nil` counts none.
    init(_ schema: Schema, namespace: String, clients: [String: RPCClient], calls: RPCMetrics?) {
        var services: [Service] = []
        var queues: [Entry] = []
        for service in schema.publicServices {
            let name = service.package
            guard let client = clients[name] else { continue }
            let entries = Self.routes(of: service, in: schema).map { route in
                // A method under two names has one queue.
                let known = queues.firstIndex { $0.route.fullName == route.fullName }
                let entry = Entry(
                    service: name, route: route, client: client, queue: known ?? queues.count,
                    recorder: calls?.recorder(service: route.service, method: route.method))
                if known == nil { queues.append(entry) }
                return entry
            }
            services.append(Service(name: Array(name.utf8), isAlias: false, entries: entries))
            // The user service was once called auth, and its callers still say so.
            if let alias = service.alias {
                services.append(Service(name: Array(alias.package.utf8), isAlias: true, entries: entries))
            }
        }
        let auth = queues.first { "/\($0.route.fullName)" == UserMethods.auth.path }
        login = auth.flatMap { auth in
            auth.route.answeringToken.map { route in
                Entry(
                    service: auth.service, route: route, client: auth.client, queue: auth.queue,
                    recorder: auth.recorder)
            }
        }
        self.schema = schema
        self.services = services
        self.queues = queues
        self.prefix = namespace.isEmpty ? [] : Array("\(namespace).".utf8)
    }

    /// The methods of a service under each name that callers may use.
    private static func routes(of service: Schema.Service, in schema: Schema) -> [GatewayRoute] {
        let interfaces = [service.interface] + (service.alias.map { [$0.interface] } ?? [])
        return interfaces.flatMap { interface in
            service.methods.map { GatewayRoute($0, of: schema, as: interface) }
        }
    }

    /// Compares bytes in place: a look-up allocates nothing unless it fails.
    /// - Parameters:
    ///   - service: with or without the namespace.
    ///   - method: `Service.Method`.
    func find(service: ByteBuffer, method: ByteBuffer) throws(GatewayError) -> Entry {
        let entries = service.withUnsafeReadableBytes { bytes -> [Entry]? in
            var name = bytes[...]
            if !prefix.isEmpty, name.starts(with: prefix) { name = name.dropFirst(prefix.count) }
            return services.first { $0.name.elementsEqual(name) }?.entries
        }
        guard let entries else { throw .notFound("service \"\(String(buffer: service).shortened())\" is not known") }
        let entry = method.withUnsafeReadableBytes { bytes in
            entries.first { $0.name.count == bytes.count && $0.name.elementsEqual(bytes) }
        }
        guard let entry else {
            throw .notFound(
                "service \"\(String(buffer: service).shortened())\" has no method \"\(String(buffer: method).shortened())\""
            )
        }
        return entry
    }

    /// The entry of `/{service}/{Service}/{Method}`; `nil` if the path has another shape.
    func find(path: String) throws(GatewayError) -> Entry? {
        let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0].isEmpty, parts[1...].allSatisfy({ !$0.isEmpty }) else { return nil }
        var method = ByteBuffer(bytes: parts[2])
        method.writeStaticString(".")
        method.writeBytes(parts[3])
        return try find(service: ByteBuffer(bytes: parts[1]), method: method)
    }

    /// Every method once, for the list of services.
    var entries: [Entry] {
        services.filter { !$0.isAlias }.flatMap(\.entries)
    }
}
