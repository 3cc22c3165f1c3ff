import Storage
import Testing

@testable import MongoStorage

@Suite struct MongoAddressTests {
    @Test(
        "addresses are read as host:port or as URIs, and shown without credentials",
        arguments: [
            ("mongo:27017", "mongo:27017", "shippy"),
            ("mongo", "mongo", "shippy"),
            ("[::1]:27018", "[::1]:27018", "shippy"),
            ("mongodb://a:1,b:2/fleet?replicaSet=rs", "a:1,b:2", "fleet"),
            ("mongodb://user:p%40ss@db:27017/?authSource=admin", "db:27017", "shippy"),
        ])
    func addresses(text: String, hosts: String, database: String) throws {
        let address = try MongoAddress(text)
        #expect(address.hosts == hosts)
        #expect(address.database == database)
    }

    @Test(
        "what is no address is refused, and no credential is repeated",
        arguments: [
            "", "mongo:notaport", "mongodb://", "mongodb://user:secret@", "mongodb://user:se@cret@host:99999999",
            "user:secret@host:27017", "http://secret:27017", "mongodb://host/?w=0",
        ])
    func refused(text: String) throws {
        let error = #expect(throws: StorageError.self) { try MongoAddress(text) }
        #expect(error?.kind == .configuration)
        #expect(error?.message.contains("secret@") == false)
        #expect(error?.message.contains("cret@") == false)
    }
}
