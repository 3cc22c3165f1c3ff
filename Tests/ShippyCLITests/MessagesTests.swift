import Contracts
import SwiftProtobuf
import Testing

@testable import ShippyCLI

/// The client's messages are written by hand; here they meet those of the contract.
@Suite("The client's messages")
struct MessagesTests {
    /// As the gateway writes it.
    private func read<Read: Decodable>(_ message: some Message, as type: Read.Type) throws -> Read {
        var options = JSONEncodingOptions()
        options.preserveProtoFieldNames = true
        return try #require(JSONText.decode(type, message.jsonUTF8Bytes(options: options)))
    }

    @Test("a vessel is read whole, and an empty one too")
    func vessel() throws {
        let response = Vessel_Response.with {
            $0.vessel = .with {
                $0.id = "v1"
                $0.name = "京"
                $0.capacity = 500
                $0.maxWeight = .max
                $0.available = false
                $0.ownerID = "u1"
                $0.bookedContainers = 3
                $0.bookedWeight = 55_000
            }
            $0.vessels = [Vessel_Vessel()]
            $0.nextPageToken = "v1v1"
        }
        let answer = try read(response, as: VesselResponse.self)
        #expect(
            answer.vessel
                == Vessel(
                    id: "v1", name: "京", capacity: 500, maxWeight: .max, available: false, bookedContainers: 3,
                    bookedWeight: 55_000))
        #expect(answer.vessels == [Vessel()])
        #expect(answer.nextPageToken == "v1v1")
        #expect(VesselCommand.row(Vessel()) == ["", "", "0/0", "0/0", "yes"])
    }

    @Test("a consignment is read with its status and time", arguments: ["BOOKED", "PENDING", "CANCELLED"])
    func consignment(status: String) throws {
        let response = Consignment_Response.with {
            $0.consignment = .with {
                $0.id = "c1"
                $0.description_p = "test"
                $0.weight = 55_000
                $0.containers = [
                    .with {
                        $0.customerID = "cust001"
                        $0.userID = "user001"
                        $0.origin = "Derby"
                    }
                ]
                $0.vesselID = "v1"
                $0.status = status == "BOOKED" ? .booked : status == "PENDING" ? .pending : .cancelled
                $0.createdAt = Google_Protobuf_Timestamp(seconds: 1_769_850_300, nanos: 5_000)
                $0.userID = "u1"
            }
            $0.consignments = [Consignment_Consignment()]
            $0.nextPageToken = "c1"
        }
        let answer = try read(response, as: ConsignmentResponse.self)
        let read = try #require(answer.consignment)
        let row = ConsignmentCommand.row(read, vessel: "Kane")
        #expect(row == ["c1", status, "Kane", "55000", "1", "2026-01-31 09:05:00Z"])
        #expect(read.containers == [.init(customerID: "cust001", userID: "user001", origin: "Derby")])
        #expect(read.description == "test" && read.vesselID == "v1")
        #expect(answer.consignments == [Consignment()] && answer.nextPageToken == "c1")
    }

    @Test("tokens are read from a sign-up's answer")
    func signUp() throws {
        let answer = try read(
            User_Response.with {
                $0.user.email = "ada@example.com"
                $0.token = .with {
                    $0.token = "a.b.c"
                    $0.valid = true
                }
            }, as: SignUpResponse.self)
        #expect(answer.token?.token == "a.b.c" && answer.user?.email == "ada@example.com")
    }

    @Test("what the client sends are the contract's messages")
    func requests() throws {
        let vessel = Vessel(id: "v1", name: "n", capacity: 1, maxWeight: 2, available: false)
        let sent = Vessel_Vessel.with {
            $0.id = "v1"
            $0.name = "n"
            $0.capacity = 1
            $0.maxWeight = 2
            $0.available = false
        }
        #expect(try Vessel_Vessel(jsonUTF8Bytes: JSONText.encode(vessel)) == sent)
        let update = try Vessel_UpdateRequest(
            jsonUTF8Bytes: JSONText.encode(VesselUpdate(vessel: vessel, updateMask: "name,maxWeight")))
        #expect(update.vessel == sent && update.updateMask.paths == ["name", "max_weight"])
        let wanted = try Vessel_Specification(
            jsonUTF8Bytes: JSONText.encode(Specification(capacity: 3, maxWeight: 4)))
        #expect(wanted.capacity == 3 && wanted.maxWeight == 4)
        let page = PageRequest(pageSize: 1_000, pageToken: "t")
        #expect(try Vessel_ListRequest(jsonUTF8Bytes: JSONText.encode(page)).pageToken == "t")
        #expect(try Consignment_GetRequest(jsonUTF8Bytes: JSONText.encode(page)).pageSize == 1_000)
        #expect(try Consignment_CancelRequest(jsonUTF8Bytes: JSONText.encode(IDRequest(id: "c1"))).id == "c1")
        let user = try User_User(
            jsonUTF8Bytes: JSONText.encode(
                SignUp(name: "Ada", company: "", email: "ada@example.com", password: "p\"\\ä")))
        #expect(user.name == "Ada" && user.email == "ada@example.com" && user.password == "p\"\\ä")
    }

    @Test("a mask names what is given, and nothing else")
    func mask() throws {
        func mask(_ arguments: [String]) throws -> String? {
            try (Shippy.parseAsRoot(["vessel", "update", "v1"] + arguments) as? VesselCommand.Update)?.mask
        }
        #expect(try mask(["--name", "n"]) == "name")
        #expect(try mask(["--unavailable"]) == "available")
        #expect(try mask(["--capacity", "5", "--max-weight", "6", "--available"]) == "capacity,maxWeight,available")
    }
}
