import Contracts
import NIOCore

/// The answer to `GET /services`: every method that can be called, with the fields of its messages.
enum ServicesPage {
    static func render(_ table: RouteTable) -> ByteBuffer {
        var out = ByteBuffer()
        out.writeStaticString("{\"services\": [")
        var service = ""
        for entry in table.entries {
            if entry.service != service {
                out.writeStaticString(service.isEmpty ? "\n  " : "\n  ]},\n  ")
                out.writeStaticString("{\"name\": ")
                out.writeJSONString(entry.service)
                out.writeStaticString(", \"methods\": [\n    ")
                service = entry.service
            } else {
                out.writeStaticString(",\n    ")
            }
            write(entry, to: &out)
        }
        out.writeStaticString(service.isEmpty ? "]}\n" : "\n  ]}\n]}\n")
        return out
    }

    private static func write(_ entry: RouteTable.Entry, to out: inout ByteBuffer) {
        let route = entry.route
        out.writeStaticString("{\"name\": ")
        out.writeJSONString("\(route.interface).\(route.method)")
        out.writeStaticString(", \"path\": ")
        out.writeJSONString("/\(entry.service)/\(route.interface)/\(route.method)")
        out.writeStaticString(",\n      \"request\": ")
        write(route.request, to: &out)
        out.writeStaticString(",\n      \"response\": ")
        write(route.response, to: &out)
        out.writeStaticString("}")
    }

    private static func write(_ message: MessageDescription, to out: inout ByteBuffer) {
        out.writeStaticString("{\"type\": ")
        out.writeJSONString(message.name)
        out.writeStaticString(", \"fields\": [")
        for (index, field) in message.fields.enumerated() {
            if index > 0 { out.writeStaticString(", ") }
            out.writeStaticString("{\"name\": ")
            out.writeJSONString(field.name)
            out.writeStaticString(", \"type\": ")
            if field.isRepeated {
                out.writeStaticString("\"array\", \"items\": {\"type\": ")
                write(field.kind, to: &out)
                out.writeStaticString("}")
            } else {
                write(field.kind, to: &out)
            }
            out.writeStaticString("}")
        }
        out.writeStaticString("]}")
    }

    /// A JSON type, and what narrows it.
    private static func write(_ kind: MessageDescription.Kind, to out: inout ByteBuffer) {
        switch kind {
        case .string: out.writeStaticString("\"string\"")
        case .bool: out.writeStaticString("\"boolean\"")
        case .int32: out.writeStaticString("\"integer\", \"format\": \"int32\"")
        case .choice(_, let names):
            out.writeStaticString("\"string\", \"enum\": [")
            for (index, name) in names.enumerated() {
                if index > 0 { out.writeStaticString(", ") }
                out.writeJSONString("\(name)")
            }
            out.writeStaticString("]")
        case .timestamp: out.writeStaticString("\"string\", \"format\": \"date-time\"")
        case .fieldMask: out.writeStaticString("\"string\", \"format\": \"field-mask\"")
        case .message(let message):
            out.writeStaticString("\"object\", \"message\": ")
            write(message, to: &out)
        }
    }
}
