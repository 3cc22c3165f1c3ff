import Contracts
import FoundationEssentials

/// What is said of all telemetry of this process: the program, and where it runs.
/// Source: OpenTelemetry, "Semantic conventions", "Service".
struct TelemetryResource: Sendable {
    /// In order; `service.name` is the first.
    private(set) var attributes: [(name: String, value: String)]
    private let nameIsSet: Bool

    static let attributesMax = 128
    /// Another one each time the program starts, and the same for all telemetry.
    private static let instanceID = UUID().uuidString.lowercased()

    /// - Parameter name: the program's short name.
    init(name: String, _ settings: Settings) {
        let serviceName = settings.variable("OTEL_SERVICE_NAME")
        nameIsSet = serviceName != nil
        attributes = [
            ("service.name", serviceName ?? "shippy-\(name)"),
            ("service.instance.id", Self.instanceID),
            ("telemetry.sdk.name", "shippy"),
            ("telemetry.sdk.language", "swift"),
        ]
        if let version = settings.variable("SHIPPY_VERSION") { attributes.append(("service.version", version)) }
    }

    /// Adds what `OTEL_RESOURCE_ATTRIBUTES` says, which wins over what was here but for `OTEL_SERVICE_NAME`.
    ///
    /// - Throws: what can't be used, in one line that names the variable and no secret.
    mutating func addAttributes(_ settings: Settings) throws(ConfigurationError) {
        let variable = "OTEL_RESOURCE_ATTRIBUTES"
        for (name, value) in try settings.pairs(variable) {
            if let index = attributes.firstIndex(where: { $0.name == name }) {
                if index > 0 || !nameIsSet { attributes[index].value = value }
            } else {
                attributes.append((name, value))
            }
        }
        guard attributes.count <= Self.attributesMax else {
            throw ConfigurationError("\(variable): more than \(Self.attributesMax) attributes")
        }
    }
}

extension Otlp_KeyValue {
    init(_ key: String, _ value: Otlp_AnyValue) {
        self.init()
        self.key = key
        self.value = value
    }
}

extension Otlp_AnyValue {
    static func text(_ text: String) -> Otlp_AnyValue {
        var value = Otlp_AnyValue()
        value.stringValue = text
        return value
    }
}

extension Otlp_Resource {
    init(_ resource: TelemetryResource) {
        self.init()
        attributes = resource.attributes.map { Otlp_KeyValue($0.name, .text($0.value)) }
    }
}
