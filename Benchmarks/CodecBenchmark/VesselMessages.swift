import Contracts
import SwiftProtobuf
import Transcoding

/// FindAvailable's messages, as the gateway turns them from one form into the other.
///
/// The reference is SwiftProtobuf, which makes a message of one form and then writes the other.
enum VesselMessages {
    /// JSON to protobuf.
    static func request() throws -> Comparison {
        let json = Array(#"{"capacity":3,"max_weight":55000}"#.utf8)
        let schema = Schema.contracts
        let message = try message(Vessel_Specification.protoMessageName, of: schema)
        return try comparison(
            "FindAvailable's request, JSON to protobuf",
            ours: { try json.withUnsafeBytes { try JSONToWire.encode($0, as: message, of: schema) } },
            reference: { try Vessel_Specification(jsonUTF8Bytes: json).serializedBytes() })
    }

    /// Protobuf to JSON.
    static func answer() throws -> Comparison {
        let answer = Vessel_Response.with {
            $0.vessel = Vessel_Vessel.with {
                $0.id = "vessel001"
                $0.capacity = 500
                $0.maxWeight = 200_000
                $0.name = "Kane's Salty Secret"
                $0.available = true
            }
        }
        let wire: [UInt8] = try answer.serializedBytes()
        let schema = Schema.contracts
        let message = try message(Vessel_Response.protoMessageName, of: schema)
        var options = JSONEncodingOptions()
        options.preserveProtoFieldNames = true
        let names = options
        return try comparison(
            "FindAvailable's answer, protobuf to JSON",
            ours: { try wire.withUnsafeBytes { try WireToJSON.encode($0, as: message, of: schema) } },
            reference: { try Vessel_Response(serializedBytes: wire).jsonUTF8Bytes(options: names) })
    }

    private static func message(_ name: String, of schema: Schema) throws -> MessageSchema {
        guard let message = schema.message(named: name) else { throw Failure("there is no message \(name)") }
        return message
    }

    private static func comparison(
        _ name: String, ours: @escaping () throws -> [UInt8], reference: @escaping () throws -> [UInt8]
    ) throws -> Comparison {
        guard try ours() == reference() else { throw Failure("\(name): SwiftProtobuf writes something else") }
        return Comparison(name: name, ours: repeated(ours), reference: repeated(reference))
    }

    private static func repeated(_ encode: @escaping () throws -> [UInt8]) -> Work {
        { count in
            var bytes = 0
            for _ in 0..<count {
                let encoded = try encode()
                bytes += encoded.count
            }
            // Uses what was written, so that it must be.
            guard bytes > 0 else { throw Failure("nothing was written") }
        }
    }
}
