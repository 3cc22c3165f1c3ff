import NIOCore

/// Somebody who signed up before the load began.
struct Account: Sendable {
    var email: String
    var token: String
}

/// The bytes of requests. Those that repeat are made once.
struct Requests {
    /// Of the accounts that the generator makes; they are worth nothing.
    static let password = "correct horse"

    private let authority: String
    /// Makes the addresses of this run differ from those of others.
    private let run: String
    /// Whether bookings carry an idempotency key of their own.
    private let hasKeys: Bool
    private var logIns: [ByteBuffer] = []
    private var bookings: [ByteBuffer] = []
    private var bookingStarts: [String] = []
    private var listings: [ByteBuffer] = []
    private var numbers = [Int](repeating: 0, count: Kind.allCases.count)

    /// - Parameters:
    ///   - pageSize: consignments that a listing asks for.
    ///   - accounts: at least one; requests take them in turn.
    init(authority: String, run: String, accounts: [Account], pageSize: Int, hasKeys: Bool) {
        self.authority = authority
        self.run = run
        self.hasKeys = hasKeys
        for account in accounts {
            logIns.append(Self.buffer(post(Self.logIn(account.email))))
            bookings.append(Self.buffer(post(Self.booking, token: account.token)))
            bookingStarts.append(head(Self.booking, token: account.token))
            listings.append(Self.buffer(post(Self.listing(pageSize), token: account.token)))
        }
    }

    /// The next request of a kind.
    mutating func next(_ kind: Kind) -> ByteBuffer {
        let number = numbers[kind.index]
        numbers[kind.index] += 1
        let account = number % logIns.count
        switch kind {
        case .signUp: return Self.buffer(post(Self.signUp("load-\(run)-\(number)@example.com")))
        case .logIn: return logIns[account]
        case .listing: return listings[account]
        case .booking:
            guard hasKeys else { return bookings[account] }
            let key = "Idempotency-Key: load-\(run)-\(number)\r\n"
            return Self.buffer(bookingStarts[account] + key + "\r\n" + Self.booking)
        }
    }

    private static func buffer(_ text: String) -> ByteBuffer { ByteBuffer(string: text) }

    private func post(_ body: String, token: String? = nil) -> String {
        head(body, token: token) + "\r\n" + body
    }

    /// All but the empty line and the body.
    private func head(_ body: String, token: String?) -> String {
        Self.head(body, authority: authority, token: token)
    }

    private static func head(_ body: String, authority: String, token: String?) -> String {
        let authorization = token.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        return "POST /rpc HTTP/1.1\r\nHost: \(authority)\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\(authorization)"
    }
}

extension Requests {
    /// A request for the time before the load, whose answer is read.
    static func single(_ body: String, authority: String, token: String? = nil) -> ByteBuffer {
        ByteBuffer(string: head(body, authority: authority, token: token) + "\r\n" + body)
    }

    static func signUp(_ email: String) -> String {
        rpc("user", "UserService.Create", #"{"name":"Load","email":"\#(email)","password":"\#(password)"}"#)
    }

    static func logIn(_ email: String) -> String {
        rpc("user", "UserService.Auth", #"{"email":"\#(email)","password":"\#(password)"}"#)
    }

    /// Light, so that the fleet is not full soon.
    static let booking = rpc(
        "consignment", "ConsignmentService.Create",
        #"{"description":"This is a test consignment","weight":1,"containers":["#
            + #"{"customer_id":"cust001","user_id":"user001","origin":"Manchester, United Kingdom"}]}"#)

    /// Room for all that a run books: the largest vessel that there can be.
    static func vessel(_ run: String) -> String {
        let size = Int32.max
        return rpc(
            "vessel", "VesselService.Create",
            #"{"name":"Load \#(run)","capacity":\#(size),"max_weight":\#(size),"available":true}"#)
    }

    static func listing(_ pageSize: Int) -> String {
        rpc("consignment", "ConsignmentService.Get", #"{"page_size":\#(pageSize)}"#)
    }

    private static func rpc(_ service: String, _ method: String, _ request: String) -> String {
        #"{"service":"\#(service)","method":"\#(method)","request":\#(request)}"#
    }
}
