import Contracts

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
