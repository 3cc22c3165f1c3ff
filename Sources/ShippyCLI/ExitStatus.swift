/// Exit statuses of `shippy`, by kind of failure, so that scripts can react.
///
/// The numbers are those of BSD's `sysexits.h`, as is ArgumentParser's 64 for usage errors.
enum ExitStatus: Int32, CaseIterable, Sendable {
    case done = 0
    case declined = 1
    case usage = 64
    case badData = 65
    case notFound = 66
    case unavailable = 69
    case internalError = 70
    case inputOutput = 74
    case tryLater = 75
    case notAllowed = 77

    /// The exit status for an HTTP status of the gateway, or of a proxy before it, other than 2xx.
    init(httpStatus: Int) {
        self =
            switch httpStatus {
            case 401, 403: .notAllowed
            case 404: .notFound
            // 408 and 499: the request did not arrive completely.
            case 408, 429, 499, 504: .tryLater
            case 502, 503: .unavailable
            case 400..<500: .badData
            // 3xx too: the gateway never redirects.
            default: .internalError
            }
    }

    /// For the table in `--help` and in the README.
    var meaning: String {
        switch self {
        case .done: "done"
        case .declined: "you answered no"
        case .usage: "wrong flags, arguments or variables"
        case .badData: "invalid request (400, 409, other 4xx) or unusable input"
        case .notFound: "not found, no vessel fits (404), or no such file"
        case .unavailable: "the gateway or a service can't be reached (502, 503, no connection)"
        case .internalError: "internal error (500, 501), or an unreadable response"
        case .inputOutput: "a file or the output can't be written"
        case .tryLater: "try again later (429, 504, or no response in time)"
        case .notAllowed: "not allowed, or no usable token (401, 403)"
        }
    }

    /// The table, one line for each status.
    static var table: String {
        allCases.map { status in
            let number = String(status.rawValue)
            return "  \(String(repeating: " ", count: 2 - number.utf8.count))\(number)  \(status.meaning)"
        }.joined(separator: "\n")
    }
}

/// The failure of a command: a line on standard error and an exit status.
struct Failure: Error, Equatable, Sendable {
    var status: ExitStatus
    /// One line. It may contain text of a server: ``Output`` escapes control characters.
    var text: String
    /// Whether the same request may succeed soon.
    var mayRetry = false
    /// How long the gateway asks to wait before a retry.
    var retryAfter: Duration?

    init(_ status: ExitStatus, _ text: String, mayRetry: Bool = false, retryAfter: Duration? = nil) {
        self.status = status
        self.text = text
        self.mayRetry = mayRetry
        self.retryAfter = retryAfter
    }
}
