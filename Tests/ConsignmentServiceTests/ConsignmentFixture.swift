import Contracts
import Idempotency
import Logging
import NIOConcurrencyHelpers
import NIOPosix
import RPC
import Runtime
import TestSupport
import Testing
import Traces

@testable import ConsignmentService

/// The stores that every repository test runs against.
enum StoreKind: String, CaseIterable, CustomTestStringConvertible {
    case sqlite
    case mongo

    var testDescription: String { rawValue }
}

/// Lends an empty store of a kind.
func withConsignments(_ kind: StoreKind, _ body: (ConsignmentStore) async throws -> Void) async throws {
    let folder = try TemporaryFolder()
    let address =
        switch kind {
        case .sqlite: "sqlite:\(folder.file("consignments.sqlite"))"
        case .mongo: try await MongoServer.shared.value.uri()
        }
    try await withConsignments(at: address, body)
}

/// Lends the store at an address.
func withConsignments(at address: String, _ body: (ConsignmentStore) async throws -> Void) async throws {
    let consignments = try ConsignmentStore(address: address, threads: 4, logger: Logger(label: "test"))
    try consignments.store.start()
    let result = await Result(catching: {
        try await eventually("the store: \(consignments.store.lastError ?? "")") { consignments.store.isReady }
        try await body(consignments)
    })
    await consignments.store.shutdown()
    try result.get()
}

func consignment(
    _ description: String = "This is a test consignment", weight: Int32 = 55_000, containers: Int = 3
) -> Consignment_Consignment {
    .with {
        $0.description_p = description
        $0.weight = weight
        $0.containers = (0..<containers).map { index in
            .with {
                $0.id = "container\(index)"
                $0.customerID = "cust00\(index)"
                $0.origin = "Derby, United Kingdom"
                $0.userID = "user001"
            }
        }
    }
}

/// What a caller with a key is known by in the store.
func claim(_ key: String, of request: Consignment_Consignment, caller: String = "user user001") throws
    -> IdempotencyClaim
{
    let context = RequestContext(path: ConsignmentMethods.create.path, metadata: ["idempotency-key": key])
    return try #require(try IdempotencyClaim(request, caller: caller, context))
}

/// The user and the vessel service as real servers, which answer, refuse, hang and are away as a test asks.
final class Upstreams: Sendable {
    struct Behaviour: Sendable {
        /// Thrown in place of an answer.
        var users: Status?
        var vessels: Status?
        /// Answers only after it was let go.
        var usersHang = false
        var vesselsHang = false
        /// As `vesselsHang`, of Release alone.
        var releaseHangs = false
        var vesselID = "vessel001"
        /// Runs first in each Reserve, with the consignment's id.
        var onReserve: (@Sendable (String) async throws -> Void)?
        /// As `vessels`, of Reserve and Release alone.
        var reserve: Status?
        var release: Status?
        /// Reserves, and then the answer is lost.
        var losesReserveAnswers = false
    }

    struct Seen: Sendable {
        var validations = 0
        var searches: [Vessel_Specification] = []
        /// Room that is booked now, by consignment, and what was released.
        var held: [String: Vessel_Reservation] = [:]
        var released: Set<String> = []
        /// Calls of Release, and the time that each may take.
        var releases: [Duration] = []
        var metadata: [Metadata] = []
        var remaining: [Duration] = []
        var cancelled = 0
    }

    let behaviour = NIOLockedValueBox(Behaviour())
    let seen = NIOLockedValueBox(Seen())

    /// Said once: a token of the next second would be another token.
    static let expiry = WallClock.seconds + 3_600

    static func token(_ user: String, roles: [String] = [], expiry: Int64 = Upstreams.expiry) -> String {
        UserStandIn.token(of: user, roles: roles, expiry: expiry)
    }

    private func record(_ context: RequestContext) {
        seen.withLockedValue {
            $0.metadata.append(context.metadata)
            $0.remaining.append(context.deadline.remaining)
        }
    }

    private func hang(while isHanging: @Sendable (Behaviour) -> Bool) async throws {
        do {
            while behaviour.withLockedValue({ isHanging($0) }) { try await Task.sleep(for: .milliseconds(5)) }
        } catch {
            seen.withLockedValue { $0.cancelled += 1 }
            throw error
        }
    }

    private var userRoutes: [RPCRoute] {
        [
            RPCRoute(UserMethods.validateToken) { token, context in
                self.record(context)
                self.seen.withLockedValue { $0.validations += 1 }
                try await self.hang { $0.usersHang }
                if let status = self.behaviour.withLockedValue({ $0.users }) { throw status }
                guard token.token.hasSuffix(".signature") else {
                    throw Status(.unauthenticated, "the token is not valid")
                }
                return .with { $0.valid = true }
            }
        ]
    }

    private var vesselRoutes: [RPCRoute] {
        [
            RPCRoute(VesselMethods.findAvailable) { wanted, context in
                self.record(context)
                self.seen.withLockedValue { $0.searches.append(wanted) }
                try await self.hang { $0.vesselsHang }
                if let status = self.behaviour.withLockedValue({ $0.vessels }) { throw status }
                return .with { $0.vessel.id = self.behaviour.withLockedValue { $0.vesselID } }
            },
            RPCRoute(VesselMethods.reserve) { wanted, context in
                self.record(context)
                let onReserve = self.behaviour.withLockedValue { $0.onReserve }
                try await onReserve?(wanted.consignmentID)
                try await self.hang { $0.vesselsHang }
                let behaviour = self.behaviour.withLockedValue { $0 }
                if let status = behaviour.reserve ?? behaviour.vessels { throw status }
                try self.seen.withLockedValue { seen in
                    guard !seen.released.contains(wanted.consignmentID) else {
                        throw Status(.failedPrecondition, "released", reason: "RELEASED")
                    }
                    seen.held[wanted.consignmentID] = wanted
                }
                if behaviour.losesReserveAnswers { throw Status(.unavailable, "lost") }
                return .with { $0.vessel.id = behaviour.vesselID }
            },
            RPCRoute(VesselMethods.release) { wanted, context in
                self.record(context)
                self.seen.withLockedValue { $0.releases.append(context.deadline.remaining) }
                try await self.hang { $0.releaseHangs }
                if let status = self.behaviour.withLockedValue({ $0.release ?? $0.vessels }) { throw status }
                self.seen.withLockedValue {
                    $0.held[wanted.consignmentID] = nil
                    $0.released.insert(wanted.consignmentID)
                }
                return .init()
            },
        ]
    }

    fileprivate func servers(at ports: (users: Int, vessels: Int)) -> (users: RPCServer, vessels: RPCServer) {
        (server(userRoutes, ports.users), server(vesselRoutes, ports.vessels))
    }

    fileprivate func server(_ routes: [RPCRoute], _ port: Int) -> RPCServer {
        RPCServer(
            routes: routes, configuration: .init(address: HostPort(host: "127.0.0.1", port: port)), group: .singleton,
            logger: Logger(label: "test"))
    }
}

/// The consignment service on a socket of its own, between ``Upstreams`` and an embedded store.
struct ConsignmentFixture {
    let upstreams: Upstreams
    let client: RPCClient
    let ports: (users: Int, vessels: Int)
    let repository: any ConsignmentRepository
    let booker: Booker

    /// - Parameters:
    ///   - kind: of the store.
    ///   - isChecked: whether tokens are looked at.
    ///   - hasWorker: whether a worker ends what calls leave behind.
    ///   - tracer: the worker's.
    static func run(
        on kind: StoreKind = .sqlite, isChecked: Bool = true, hasWorker: Bool = false, tracer: SpanTracer? = nil,
        _ body: (ConsignmentFixture) async throws -> Void
    ) async throws {
        try await withConsignments(kind) { consignments in
            let logger = Logger(label: "test")
            let upstreams = Upstreams()
            let ports = (users: try Ports.free(), vessels: try Ports.free())
            let (users, vessels) = upstreams.servers(at: ports)
            _ = try await users.start()
            _ = try await vessels.start()
            func client(_ port: Int) -> RPCClient {
                RPCClient(
                    configuration: .init(target: HostPort(host: "127.0.0.1", port: port)), group: .singleton,
                    logger: logger)
            }
            let (userClient, vesselClient) = (client(ports.users), client(ports.vessels))
            let booker = Booker(
                repository: consignments.repository, vessels: vesselClient, counts: BookingCounts())
            let worker = BookingWorker.make(booker, tracer: tracer, logger: logger)
            let working = hasWorker ? Task { try await worker.run() } : nil
            let handlers = ConsignmentHandlers(booker: booker, wakeWorker: { worker.wakeup.notify() })
            let authenticator = Authenticator(users: isChecked ? userClient : nil)
            let server = upstreams.server(handlers.routes(authenticator: authenticator), 0)
            let port = try #require(try await server.start().port)
            let own = client(port)
            let result = await Result(catching: {
                try await body(
                    ConsignmentFixture(
                        upstreams: upstreams, client: own, ports: ports, repository: consignments.repository,
                        booker: booker))
            })
            working?.cancel()
            _ = await working?.result
            for client in [own, userClient, vesselClient] { await client.shutdown() }
            for server in [server, users, vessels] { await server.drain(timeout: .milliseconds(50)) }
            try result.get()
        }
    }

    func create(
        _ request: Consignment_Consignment = consignment(), token: String? = Upstreams.token("user001"),
        key: String? = nil, timeout: Duration = .seconds(20)
    ) async throws -> Consignment_Response {
        try await client.call(
            ConsignmentMethods.create, request, metadata: metadata(token, key), deadline: .after(timeout))
    }

    func cancel(
        _ id: String, token: String? = Upstreams.token("user001"), timeout: Duration = .seconds(20)
    ) async throws -> Consignment_Consignment {
        try await client.call(
            ConsignmentMethods.cancel, .with { $0.id = id }, metadata: metadata(token, nil),
            deadline: .after(timeout)
        ).consignment
    }

    func find(
        _ id: String, token: String? = Upstreams.token("user001")
    ) async throws -> Consignment_Consignment {
        try await client.call(
            ConsignmentMethods.get, .with { $0.id = id }, metadata: metadata(token, nil),
            deadline: .after(.seconds(20))
        ).consignment
    }

    func get(
        size: Int32 = 0, page: String = "", token: String? = Upstreams.token("user001")
    ) async throws -> Consignment_Response {
        let request = Consignment_GetRequest.with {
            $0.pageSize = size
            $0.pageToken = page
        }
        return try await client.call(
            ConsignmentMethods.get, request, metadata: metadata(token, nil), deadline: .after(.seconds(20)))
    }

    private func metadata(_ token: String?, _ key: String?) -> Metadata {
        var metadata: Metadata = ["x-request-id": "request-1", "traceparent": "00-trace", "tracestate": "a=b"]
        if let token { metadata.add("authorization", "Bearer \(token)") }
        if let key { metadata.add("idempotency-key", key) }
        return metadata
    }
}

/// The status that `body` fails with; `ok` when it does not.
func status(of body: () async throws -> some Any) async -> Status {
    do {
        _ = try await body()
        return .ok
    } catch { return Status(error) }
}

extension ConsignmentRepository {
    /// Stores a consignment and books it, without asking for room.
    func create(
        _ consignment: Consignment_Consignment, userID: String, claim: IdempotencyClaim?, deadline: Deadline
    ) async throws -> Consignment_Consignment {
        var asked = consignment
        asked.vesselID = ""
        let begun = try await begin(asked, userID: userID, claim: claim, deadline: deadline)
        guard begun.state == .pending else { return begun.shown }
        return try #require(
            try await confirm(begun.id, vesselID: consignment.vesselID, deadline: deadline)
        ).booking.shown
    }

    func page(after: String?, limit: Int, bytesMax: Int, deadline: Deadline) async throws -> ConsignmentPage {
        try await page(of: nil, after: after, limit: limit, bytesMax: bytesMax, deadline: deadline)
    }
}

extension Consignment_Consignment {
    /// What callers asked for, and the vessel.
    var asked: Consignment_Consignment {
        var asked = self
        asked.status = .unspecified
        asked.clearCreatedAt()
        asked.userID = ""
        return asked
    }
}
