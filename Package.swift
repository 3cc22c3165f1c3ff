// swift-tools-version:6.2
import PackageDescription

// Every dependency costs each newcomer build minutes; beside each stands what it is needed for.
let dependencies: [Package.Dependency] = [
    // Sockets, event loops and timers under RPC and HTTP. Its HTTP/1.1 codec is for tests alone.
    .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
    // TLS for gRPC and the gateway: ALPN, certificates.
    .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.0"),
    // The logging interface, which the lifecycle's package speaks, too.
    .package(url: "https://github.com/apple/swift-log.git", from: "1.16.0"),
    // Attributes, kinds and statuses of spans, and the task-local that holds the current one.
    .package(url: "https://github.com/apple/swift-distributed-tracing.git", from: "1.7.0"),
    // Start and stop in dependency order, and signals. Brings in swift-async-algorithms. A dozen parts stop by it; a group
    // of our own would be long, and wrong in cases that it has met.
    .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    // The commands of the command-line client, and the flags of the load generator. No service links it.
    .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.0"),
    // Messages, and in tests their JSON mapping. No traits: the stream helpers would bring in all of Foundation.
    .package(url: "https://github.com/apple/swift-protobuf.git", from: "1.39.0", traits: []),
    // What our tokens are compared with, in tests alone. Brings in swift-crypto, a minute and a half: the programs' HS256
    // is one HMAC, by the libcrypto that they have anyway.
    .package(url: "https://github.com/vapor/jwt-kit.git", from: "5.7.1"),
]

let nioCore = product("NIOCore", "swift-nio")
let nioPosix = product("NIOPosix", "swift-nio")
let nioTLS = product("NIOTLS", "swift-nio")
let nioEmbedded = product("NIOEmbedded", "swift-nio")
let nioHTTP1 = product("NIOHTTP1", "swift-nio")
let nioConcurrency = product("NIOConcurrencyHelpers", "swift-nio")
let nioSSL = product("NIOSSL", "swift-nio-ssl")
let logging = product("Logging", "swift-log")
let tracing = product("Tracing", "swift-distributed-tracing")
let lifecycle = product("ServiceLifecycle", "swift-service-lifecycle")
let signals = product("UnixSignals", "swift-service-lifecycle")
let argumentParser = product("ArgumentParser", "swift-argument-parser")
let protobuf = product("SwiftProtobuf", "swift-protobuf")
let jwtKit = product("JWTKit", "jwt-kit")

/// The stores of a service that may keep its documents in MongoDB or in SQLite.
let documentStores: [Target.Dependency] = [
    "DocumentStorage", "Idempotency", "MongoStorage", "SQLiteStorage", "Storage",
]

/// The stores of the user service: PostgreSQL or SQLite.
let userStores: [Target.Dependency] = ["Idempotency", "PostgresStorage", "SQLiteStorage", "Storage"]

// Scripts/empty_targets.sh and Scripts/release.sh read the services and the targets: a service is one line, the name
// is the first text of each target, and `path:` is not wrapped.

/// Each in a folder of its own name, with what it needs beside what every service does. Their products follow from them.
let services: [Target] = [
    service("VesselService", needs: documentStores + [lifecycle]),
    service("UserService", needs: userStores + ["CCrypt", "CCrypto", "CPlatform", "LeasedQueue", "Traces", protobuf]),
    service("EmailService", needs: documentStores + ["CCurl", "LeasedQueue", "Traces", lifecycle]),
    service("ConsignmentService", needs: documentStores + ["LeasedQueue", "Traces", protobuf]),
]

/// What people run, for tests that run it.
let programs: [Target.Dependency] = services.map { .byName(name: $0.name) } + ["APIGateway", "ShippyCLI"]

/// What most tests use.
let testing: [Target.Dependency] = ["Contracts", "RPC", "TestSupport", logging, nioCore, nioHTTP1, nioPosix]

/// The stores, for tests.
let stores: [Target.Dependency] = [
    "Idempotency", "LeasedQueue", "MongoStorage", "PostgresStorage", "SQLiteStorage", "Storage",
]

let targets: [Target] = [
    // MARK: C libraries

    library("CNGHTTP2", "libnghttp2", package: "libnghttp2-dev"),
    library("CMongoC", "libmongoc-1.0", package: "libmongoc-dev"),
    library("CPostgres", "libpq", package: "libpq-dev"),
    library("CSQLite", "sqlite3", package: "libsqlite3-dev"),
    // SMTP with STARTTLS and login, for the mails; HTTP with TLS, for the command-line client.
    library("CCurl", "libcurl", package: "libcurl4-openssl-dev"),
    // bcrypt, by the library that logs people in on Debian.
    library("CCrypt", "libcrypt", package: "libcrypt-dev"),
    // SHA-256 for idempotency keys; libmongoc needs OpenSSL anyway.
    library("CCrypto", "libcrypto", package: "libssl-dev"),
    // Names for threads; needs nothing installed.
    .systemLibrary(name: "CPlatform", path: "Sources/Shared/CLibraries/CPlatform"),

    // MARK: Shared modules

    module("Traces", "Traces", [nioConcurrency, tracing]),
    module(
        "RPC", "RPC",
        ["CNGHTTP2", "Traces", nioConcurrency, nioCore, nioPosix, nioTLS, nioSSL, logging, protobuf, tracing]),
    module("Contracts", "Contracts", ["RPC", protobuf]),
    // JSON and protobuf, by the descriptors in Contracts.
    module("Transcoding", "Transcoding", ["Contracts", "RPC"]),
    module("HTTP", "HTTP", ["RPC", nioCore, nioPosix, nioTLS, nioSSL, logging]),
    module("Storage", "Storage/Pool", ["CPlatform", "RPC", "Traces", nioCore, logging, tracing]),
    module("Idempotency", "Storage/Idempotency", ["CCrypto", "RPC", protobuf]),
    module("LeasedQueue", "Storage/LeasedQueue", ["Idempotency", "RPC", logging, nioCore, lifecycle]),
    module("MongoStorage", "Storage/Mongo", ["CMongoC", "Idempotency", "LeasedQueue", "RPC", "Storage", logging]),
    module("PostgresStorage", "Storage/Postgres", ["CPostgres", "RPC", "Storage", logging]),
    module("SQLiteStorage", "Storage/SQLite", ["CSQLite", "Idempotency", "LeasedQueue", "RPC", "Storage", logging]),
    module("DocumentStorage", "Storage/Document", ["MongoStorage", "SQLiteStorage", "Storage", logging]),
    module(
        "Runtime", "Runtime",
        [
            "CPlatform", "Contracts", "HTTP", "Idempotency", "RPC", "Storage", "Traces", logging, lifecycle, signals,
            nioCore, nioPosix, nioSSL, protobuf, tracing,
        ]),

    // MARK: Programs

    .executableTarget(
        name: "APIGateway",
        dependencies: [
            "Contracts", "HTTP", "RPC", "Runtime", "Traces", "Transcoding", logging, nioCore, nioPosix, nioSSL,
            tracing,
        ],
        path: "Sources/APIGateway"),
    // The command-line client: HTTP and JSON through libcurl. Without the shared modules it builds in seconds.
    .executableTarget(name: "ShippyCLI", dependencies: ["CCurl", argumentParser], path: "Sources/ShippyCLI"),
    .executableTarget(
        name: "RPCBenchmark", dependencies: ["Contracts", "RPC", nioCore, nioPosix], path: "Benchmarks/RPCBenchmark"),
    // The parser and the transcoder alone, beside the libraries that they stand in for: NIOHTTP1 and SwiftProtobuf's JSON.
    .executableTarget(
        name: "CodecBenchmark",
        dependencies: ["Contracts", "HTTP", "Transcoding", nioCore, nioEmbedded, nioHTTP1, protobuf],
        path: "Benchmarks/CodecBenchmark"),
    .executableTarget(
        name: "LoadGenerator", dependencies: [argumentParser, nioCore, nioPosix],
        path: "Benchmarks/LoadGenerator"),

    // MARK: Tests; scripts in their folders are read from there

    .target(
        name: "TestSupport",
        dependencies: ["CNGHTTP2", "Contracts", "RPC", logging, nioCore, nioHTTP1, nioPosix, lifecycle],
        path: "Tests/TestSupport", exclude: ["Scripts"]),
    // Programs for tests: a service that was added as CONTRIBUTING.md says, and one whose store does what a test asks.
    service("PortServiceFixture", in: "Tests", needs: ["SQLiteStorage", "Storage", protobuf]),
    .executableTarget(
        name: "RuntimeFixture", dependencies: ["Contracts", "RPC", "Runtime", "Storage"], path: "Tests/RuntimeFixture"),
    tests("TidyTests", []),
    tests("TracesTests", ["Traces", nioConcurrency, tracing]),
    // NIOEmbedded: a listener that can be told to fail.
    tests("RPCTests", testing + ["Traces", nioEmbedded, nioSSL, tracing], hasScripts: true),
    tests("TranscodingTests", testing + ["Transcoding", protobuf], hasScripts: true),
    // NIOHTTP1 in `testing`: the parser that ours is compared with.
    tests("HTTPTests", testing + ["HTTP", nioConcurrency, nioEmbedded, nioSSL]),
    tests("StorageTests", testing + stores + ["Traces", tracing]),
    tests("RuntimeTests", testing + ["Runtime", "RuntimeFixture", "Storage"]),
    tests("LoadGeneratorTests", testing + ["LoadGenerator"]),
    tests("VesselServiceTests", testing + stores + ["VesselService", "Runtime"]),
    tests("UserServiceTests", testing + stores + ["UserService", "Runtime", "Traces", jwtKit, lifecycle, protobuf]),
    tests("EmailServiceTests", testing + stores + ["EmailService", "Traces"]),
    tests("ConsignmentServiceTests", testing + stores + ["ConsignmentService", "Runtime", "Traces", tracing]),
    // NIOEmbedded: an event loop whose clock the test sets.
    tests(
        "APIGatewayTests",
        testing + ["APIGateway", "HTTP", "Runtime", "Transcoding", nioConcurrency, nioEmbedded, protobuf]),
    // Contracts in `testing`: the messages of `shippy` are compared with the contract's.
    tests("ShippyCLITests", testing + ["ShippyCLI", argumentParser, protobuf], hasScripts: true),
    // The programs are dependencies so that they are built; the tests run them as processes.
    tests(
        "EndToEndTests", testing + programs + ["PortServiceFixture", "Runtime", "Transcoding", protobuf],
        hasScripts: true),
]

let package = Package(
    name: "shippy",
    products: services.map { program(ofService: $0.name) } + [
        program("shippy-api-gateway", "APIGateway"),
        program("shippy", "ShippyCLI"),
        program("rpc-benchmark", "RPCBenchmark"),
        program("codec-benchmark", "CodecBenchmark"),
        program("load-generator", "LoadGenerator"),
    ],
    dependencies: dependencies,
    targets: services + targets
)

// Lint and CI ask for warnings as errors; others should not be stopped by what a newer compiler warns of.
if Context.environment["SHIPPY_STRICT"] == "1" {
    for target in package.targets where target.type != .system {
        target.swiftSettings = (target.swiftSettings ?? []) + [.treatAllWarnings(as: .error)]
    }
}

func product(_ name: String, _ package: String) -> Target.Dependency { .product(name: name, package: package) }

/// - Parameter folder: in `Sources/Shared`.
func module(_ name: String, _ folder: String, _ dependencies: [Target.Dependency]) -> Target {
    let path = "Sources/Shared/\(folder)"
    return .target(name: name, dependencies: dependencies, path: path)
}

/// - Parameter hasScripts: whether the folder has scripts, which are read from there.
func tests(_ name: String, _ dependencies: [Target.Dependency], hasScripts: Bool = false) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: hasScripts ? ["Scripts"] : [])
}

func program(_ name: String, _ target: String) -> Product { .executable(name: name, targets: [target]) }

/// `shippy-vessel-service` of `VesselService`.
func program(ofService name: String) -> Product {
    program("shippy-\(name.dropLast("Service".count).lowercased())-service", name)
}

/// A program on Runtime's skeleton.
///
/// - Parameters:
///   - name: the target's, and its folder's.
///   - parent: where that folder is. In `Tests` it has its .proto file too, in `Protos`.
///   - needed: what it uses beside what every service does.
func service(_ name: String, in parent: String = "Sources", needs needed: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: ["Contracts", "RPC", "Runtime", product("Logging", "swift-log")] + needed,
        path: "\(parent)/\(name)", exclude: parent == "Tests" ? ["Protos"] : [])
}

/// - Parameter package: Debian's.
func library(_ name: String, _ pkgConfig: String, package: String) -> Target {
    .systemLibrary(
        name: name, path: "Sources/Shared/CLibraries/\(name)", pkgConfig: pkgConfig, providers: [.apt([package])])
}
