import NIOCore
import Transcoding

/// The answer to `GET /services`: every method that can be called, with the fields of its messages.
enum ServicesPage {
    /// How deep messages in messages are described.
    private static let depthMax = 8

    static func render(_ table: RouteTable) -> ByteBuffer {
        var out = ByteBuffer()
        out.writeStaticString("{\"services\": [")
        var service = ""
        for entry in table.entries {
            if entry.service != service {
                out.writeStaticString(service.isEmpty ? "\n  " : "\n  ]},\n  ")
                out.writeJSONString(entry.service, after: "{\"name\": ")
                out.writeStaticString(", \"methods\": [\n    ")
                service = entry.service
            } else {
                out.writeStaticString(",\n    ")
            }
            write(entry, of: table.schema, to: &out)
        }
        out.writeStaticString(service.isEmpty ? "]}\n" : "\n  ]}\n]}\n")
        return out
    }

    private static func write(_ entry: RouteTable.Entry, of schema: Schema, to out: inout ByteBuffer) {
        let route = entry.route
        out.writeJSONString("\(route.interface).\(route.method)", after: "{\"name\": ")
        out.writeJSONString("/\(entry.service)/\(route.interface)/\(route.method)", after: ", \"path\": ")
        out.writeStaticString(",\n      \"request\": ")
        write(route.request, of: schema, depth: 0, to: &out)
        out.writeStaticString(",\n      \"response\": ")
        write(route.response, of: schema, depth: 0, to: &out)
        out.writeStaticString("}")
    }

    private static func write(_ message: MessageSchema, of schema: Schema, depth: Int, to out: inout ByteBuffer) {
        out.writeJSONString(message.name, after: "{\"type\": ")
        out.writeStaticString(", \"fields\": [")
        // Messages may be made of themselves.
        for (index, field) in (depth < depthMax ? message.fields : []).enumerated() {
            if index > 0 { out.writeStaticString(", ") }
            out.writeJSONString(field.name, after: "{\"name\": ")
            out.writeStaticString(", \"type\": ")
            if field.isRepeated {
                out.writeStaticString("\"array\", \"items\": {\"type\": ")
                write(field.kind, of: schema, depth: depth, to: &out)
                out.writeStaticString("}")
            } else {
                write(field.kind, of: schema, depth: depth, to: &out)
            }
            out.writeStaticString("}")
        }
        out.writeStaticString("]}")
    }

    /// A JSON type, and what narrows it.
    private static func write(_ kind: FieldSchema.Kind, of schema: Schema, depth: Int, to out: inout ByteBuffer) {
        switch kind {
        case .string: out.writeStaticString("\"string\"")
        case .bool: out.writeStaticString("\"boolean\"")
        case .int32: out.writeStaticString("\"integer\", \"format\": \"int32\"")
        case .int64: out.writeStaticString("\"string\", \"format\": \"int64\"")
        case .enumeration(let index):
            out.writeStaticString("\"string\", \"enum\": [")
            for (index, value) in schema.enumeration(index).values.enumerated() {
                if index > 0 { out.writeStaticString(", ") }
                out.writeJSONString(value.name)
            }
            out.writeStaticString("]")
        case .timestamp: out.writeStaticString("\"string\", \"format\": \"date-time\"")
        case .fieldMask: out.writeStaticString("\"string\", \"format\": \"field-mask\"")
        case .message(let index):
            out.writeStaticString("\"object\", \"message\": ")
            write(schema.message(index), of: schema, depth: depth + 1, to: &out)
        }
    }
}
