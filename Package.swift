// swift-tools-version:6.2
import PackageDescription

// Every dependency costs each newcomer build minutes; beside each stands what it is needed for.
let package = Package(
    name: "shippy",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "shippy-vessel-service", targets: ["VesselService"]),
        .executable(name: "shippy-user-service", targets: ["UserService"]),
        .executable(name: "shippy-email-service", targets: ["EmailService"]),
        .executable(name: "shippy-consignment-service", targets: ["ConsignmentService"]),
        .executable(name: "shippy-api-gateway", targets: ["APIGateway"]),
        .executable(name: "shippy", targets: ["ShippyCLI"]),
        .executable(name: "rpc-benchmark", targets: ["RPCBenchmark"]),
        .executable(name: "load-generator", targets: ["LoadGenerator"]),
    ],
    dependencies: [
        // Sockets, event loops and timers under RPC and HTTP. Its HTTP/1.1 codec is for tests alone.
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
        // TLS for gRPC and the gateway: ALPN, certificates.
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.0"),
        // The logging interface that every library here already speaks.
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.0"),
        // The metrics interface; Runtime renders it as Prometheus text.
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
        // The tracing interface; our tracer behind it, so that libraries that speak it join our traces.
        .package(url: "https://github.com/apple/swift-distributed-tracing.git", from: "1.7.0"),
        // Start and stop in dependency order, and signals.
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
        // Flags with help texts and errors that name the flag.
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.0"),
        // Messages, and in tests their JSON mapping. No traits: the stream helpers would bring in all of Foundation.
        .package(url: "https://github.com/apple/swift-protobuf.git", from: "1.39.0", traits: []),
        // What our tokens are compared with, in tests alone. Brings in swift-crypto, a minute and a half: the programs' HS256
        // is one HMAC, by the libcrypto that they have anyway.
        .package(url: "https://github.com/vapor/jwt-kit.git", from: "5.7.1"),
        // Latencies from microseconds to a minute, each to three digits, in little memory. For the load generator alone: no
        // program links it. Brings in swift-numerics.
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift.git", from: "0.2.0"),
    ],
    targets: [
        // MARK: C libraries

        .systemLibrary(
            name: "CNGHTTP2",
            path: "Sources/Shared/CLibraries/CNGHTTP2",
            pkgConfig: "libnghttp2",
            providers: [.apt(["libnghttp2-dev"])]
        ),
        .systemLibrary(
            name: "CMongoC",
            path: "Sources/Shared/CLibraries/CMongoC",
            pkgConfig: "libmongoc-1.0",
            providers: [.apt(["libmongoc-dev"])]
        ),

        .systemLibrary(
            name: "CSQLite",
            path: "Sources/Shared/CLibraries/CSQLite",
            pkgConfig: "sqlite3",
            providers: [.apt(["libsqlite3-dev"])]
        ),

        .systemLibrary(
            name: "CPostgres",
            path: "Sources/Shared/CLibraries/CPostgres",
            pkgConfig: "libpq",
            providers: [.apt(["libpq-dev"])]
        ),
        // SMTP with STARTTLS and login, for the mails; HTTP with TLS, for the command-line client.
        .systemLibrary(
            name: "CCurl",
            path: "Sources/Shared/CLibraries/CCurl",
            pkgConfig: "libcurl",
            providers: [.apt(["libcurl4-openssl-dev"])]
        ),
        // bcrypt, by the library that logs people in on Debian.
        .systemLibrary(
            name: "CCrypt",
            path: "Sources/Shared/CLibraries/CCrypt",
            pkgConfig: "libcrypt",
            providers: [.apt(["libcrypt-dev"])]
        ),
        // SHA-256 for idempotency keys; libmongoc needs OpenSSL anyway.
        .systemLibrary(
            name: "CCrypto",
            path: "Sources/Shared/CLibraries/CCrypto",
            pkgConfig: "libcrypto",
            providers: [.apt(["libssl-dev"])]
        ),
        // Names for threads; needs nothing installed.
        .systemLibrary(name: "CPlatform", path: "Sources/Shared/CLibraries/CPlatform"),

        // MARK: Shared modules

        .target(
            name: "Traces",
            dependencies: [
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            path: "Sources/Shared/Traces"
        ),
        .target(
            name: "RPC",
            dependencies: [
                "CNGHTTP2", "Traces",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            path: "Sources/Shared/RPC"
        ),
        .target(
            name: "Contracts",
            dependencies: ["RPC", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
            path: "Sources/Shared/Contracts"
        ),
        // JSON and protobuf, by the descriptors in Contracts.
        .target(
            name: "Transcoding",
            dependencies: ["Contracts", "RPC"],
            path: "Sources/Shared/Transcoding"
        ),
        .target(
            name: "HTTP",
            dependencies: [
                "RPC",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/Shared/HTTP"
        ),
        .target(
            name: "Storage",
            dependencies: [
                "CPlatform", "RPC", "Traces",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            path: "Sources/Shared/Storage/Pool"
        ),
        .target(
            name: "Idempotency",
            dependencies: ["CCrypto", "RPC", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
            path: "Sources/Shared/Storage/Idempotency"
        ),
        .target(
            name: "LeasedQueue",
            dependencies: [
                "Idempotency", "RPC",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Sources/Shared/Storage/LeasedQueue"
        ),
        .target(
            name: "MongoStorage",
            dependencies: [
                "CMongoC", "Idempotency", "LeasedQueue", "RPC", "Storage",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/Shared/Storage/Mongo"
        ),
        .target(
            name: "PostgresStorage",
            dependencies: ["CPostgres", "RPC", "Storage", .product(name: "Logging", package: "swift-log")],
            path: "Sources/Shared/Storage/Postgres"
        ),
        .target(
            name: "SQLiteStorage",
            dependencies: [
                "CSQLite", "Idempotency", "LeasedQueue", "RPC", "Storage",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/Shared/Storage/SQLite"
        ),
        .target(
            name: "DocumentStorage",
            dependencies: [
                "MongoStorage", "SQLiteStorage", "Storage", .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/Shared/Storage/Document"
        ),
        .target(
            name: "Runtime",
            dependencies: [
                "CPlatform", "Contracts", "HTTP", "Idempotency", "RPC", "Storage", "Traces",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            path: "Sources/Shared/Runtime"
        ),

        // MARK: Programs

        .executableTarget(
            name: "VesselService",
            dependencies: [
                "Contracts", "DocumentStorage", "Idempotency", "MongoStorage", "RPC", "Runtime", "SQLiteStorage",
                "Storage",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Sources/VesselService"
        ),
        .executableTarget(
            name: "UserService",
            dependencies: [
                "CCrypt", "CCrypto", "CPlatform", "Contracts", "Idempotency", "LeasedQueue", "PostgresStorage", "RPC",
                "Runtime", "SQLiteStorage", "Storage", "Traces",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            path: "Sources/UserService"
        ),
        .executableTarget(
            name: "EmailService",
            dependencies: [
                "CCurl", "Contracts", "DocumentStorage", "Idempotency", "LeasedQueue", "MongoStorage", "RPC", "Runtime",
                "SQLiteStorage", "Storage", "Traces",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Sources/EmailService"
        ),
        .executableTarget(
            name: "ConsignmentService",
            dependencies: [
                "Contracts", "DocumentStorage", "Idempotency", "LeasedQueue", "MongoStorage", "RPC", "Runtime",
                "SQLiteStorage", "Storage", "Traces",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            path: "Sources/ConsignmentService"
        ),
        .executableTarget(
            name: "APIGateway",
            dependencies: [
                "Contracts", "HTTP", "RPC", "Runtime", "Traces", "Transcoding",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            path: "Sources/APIGateway"
        ),
        // The command-line client: HTTP and JSON through libcurl. Without the shared modules it builds in seconds.
        .executableTarget(
            name: "ShippyCLI",
            dependencies: ["CCurl", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            path: "Sources/ShippyCLI"
        ),
        .executableTarget(
            name: "RPCBenchmark",
            dependencies: [
                "Contracts", "RPC",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Benchmarks/RPCBenchmark"
        ),
        .executableTarget(
            name: "LoadGenerator",
            dependencies: [
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Benchmarks/LoadGenerator"
        ),

        // MARK: Tests

        .target(
            name: "TestSupport",
            dependencies: [
                "CNGHTTP2", "Contracts", "RPC",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Tests/TestSupport",
            // Read from their places in the source tree.
            exclude: ["Scripts"]
        ),
        .testTarget(
            name: "RPCTests",
            dependencies: [
                "Contracts", "RPC", "TestSupport", "Traces",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                // A listener that can be told to fail.
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            // Read from their places in the source tree.
            exclude: ["Scripts"]
        ),
        .testTarget(
            name: "TranscodingTests",
            dependencies: [
                "Contracts", "RPC", "TestSupport", "Transcoding",
                // The reference.
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            // Read from their places in the source tree.
            exclude: ["Scripts"]
        ),
        .testTarget(
            name: "HTTPTests",
            dependencies: [
                "HTTP", "RPC", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                // The parser that ours is compared with.
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]
        ),
        .testTarget(
            name: "StorageTests",
            dependencies: [
                "Idempotency", "LeasedQueue", "MongoStorage", "PostgresStorage", "RPC", "SQLiteStorage", "Storage",
                "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ]
        ),
        // A service whose store does what a test asks; not a product.
        .executableTarget(
            name: "RuntimeFixture",
            dependencies: [
                "Contracts", "RPC", "Runtime",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/RuntimeFixture"
        ),
        .testTarget(name: "RuntimeTests", dependencies: ["Runtime", "RuntimeFixture", "TestSupport"]),
        .testTarget(name: "TidyTests"),
        .testTarget(
            name: "LoadGeneratorTests",
            dependencies: [
                "LoadGenerator", "TestSupport",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        .testTarget(
            name: "TracesTests",
            dependencies: [
                "Traces",
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ]
        ),
        .testTarget(
            name: "VesselServiceTests",
            dependencies: [
                "VesselService", "Contracts", "Idempotency", "MongoStorage", "RPC", "Runtime", "SQLiteStorage",
                "Storage", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .testTarget(
            name: "UserServiceTests",
            dependencies: [
                "UserService", "Contracts", "Idempotency", "LeasedQueue", "PostgresStorage", "RPC", "Runtime",
                "SQLiteStorage", "Storage", "TestSupport", "Traces",
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ]
        ),
        .testTarget(
            name: "EmailServiceTests",
            dependencies: [
                "EmailService", "Contracts", "Idempotency", "LeasedQueue", "MongoStorage", "RPC", "SQLiteStorage",
                "Storage", "TestSupport", "Traces",
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .testTarget(
            name: "ConsignmentServiceTests",
            dependencies: [
                "ConsignmentService", "Contracts", "Idempotency", "LeasedQueue", "MongoStorage", "RPC", "Runtime",
                "SQLiteStorage",
                "Storage", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        .testTarget(
            name: "APIGatewayTests",
            dependencies: [
                "APIGateway", "Contracts", "HTTP", "RPC", "Runtime", "TestSupport", "Transcoding",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                // An event loop whose clock the test sets.
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ]
        ),
        .testTarget(
            name: "ShippyCLITests",
            dependencies: [
                // Contracts: its messages are compared with the contract's.
                "Contracts", "ShippyCLI", "TestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            // Read from their places in the source tree.
            exclude: ["Scripts"]
        ),
        // The programs are dependencies so that they are built; the tests run them as processes.
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "APIGateway", "ConsignmentService", "Contracts", "EmailService", "RPC", "ShippyCLI", "TestSupport",
                "Transcoding", "UserService", "VesselService",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            exclude: ["Scripts"]
        ),
    ]
)

// Lint and CI ask for warnings as errors; others should not be stopped by what a newer compiler warns of.
if Context.environment["SHIPPY_STRICT"] == "1" {
    for target in package.targets where target.type != .system {
        target.swiftSettings = (target.swiftSettings ?? []) + [.treatAllWarnings(as: .error)]
    }
}
