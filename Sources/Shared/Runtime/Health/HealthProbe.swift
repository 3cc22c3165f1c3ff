import Glibc
import RPC

/// Asks a program that runs on this machine whether it is ready.
///
/// It runs in a process of its own, as the health check of a container in which there is no other program. Blocking
/// sockets do: a process that starts no event loop is done within milliseconds.
enum HealthProbe {
    /// How long to wait for each part of the answer. Connecting is bounded by whoever runs the check: to a loopback
    /// address it ends at once unless the program is stuck.
    static let answerTimeoutMilliseconds: Int32 = 2_000
    /// The largest answer that is read, in bytes.
    static let answerBytesMax = 4_096

    /// Returns if `/readyz` answers 200.
    ///
    /// - Parameter address: the admin address, as the program has it.
    /// - Throws: why the program is not ready, in its own words where it has any.
    static func check(_ address: HostPort) throws(ProgramFailure) {
        let target = HostPort(host: reachable(address.host), port: address.port)
        let connection = try openConnection(to: target)
        defer { close(connection) }
        let answer = try ask(target, on: connection)
        guard answer.starts(with: Array("HTTP/1.1 200 ".utf8)) else {
            let body = answer.firstRange(of: Array("\r\n\r\n".utf8)).map { answer[$0.upperBound...] } ?? answer[...]
            throw ProgramFailure("\(target) answers: \(String(decoding: body, as: UTF8.self))")
        }
    }

    /// Who listens on every address is asked at the loopback address.
    private static func reachable(_ host: String) -> String {
        // text: configuration.
        if host.isEmpty || host == "0.0.0.0" { return "127.0.0.1" }
        // text: configuration.
        return host == "::" ? "::1" : host
    }

    private static func openConnection(to target: HostPort) throws(ProgramFailure) -> Int32 {
        var wanted = addrinfo()
        wanted.ai_protocol = Int32(IPPROTO_TCP)
        var found: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(target.host, "\(target.port)", &wanted, &found)
        guard status == 0 else {
            throw ProgramFailure("can't find \(target.host): \(String(cString: gai_strerror(status)))")
        }
        defer { freeaddrinfo(found) }
        var reason: Int32 = 0
        var next = found
        while let entry = next?.pointee {
            next = entry.ai_next
            let descriptor = socket(entry.ai_family, entry.ai_socktype, entry.ai_protocol)
            guard descriptor >= 0 else {
                reason = errno
                continue
            }
            if connect(descriptor, entry.ai_addr, entry.ai_addrlen) == 0 { return descriptor }
            reason = errno
            close(descriptor)
        }
        throw ProgramFailure("can't reach \(target): \(SystemError.text(reason))")
    }

    private static func ask(_ target: HostPort, on connection: Int32) throws(ProgramFailure) -> [UInt8] {
        let request = Array("GET /readyz HTTP/1.1\r\nhost: \(target)\r\nconnection: close\r\n\r\n".utf8)
        guard write(connection, request, request.count) == request.count else {
            throw ProgramFailure("can't ask \(target): \(SystemError.text(errno))")
        }
        var answer: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 1_024)
        while answer.count < answerBytesMax {
            var readable = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
            guard poll(&readable, 1, answerTimeoutMilliseconds) == 1 else { break }
            let count = read(connection, &part, part.count)
            guard count > 0 else { break }
            answer += part[..<count]
        }
        guard !answer.isEmpty else { throw ProgramFailure("\(target) does not answer") }
        return answer
    }
}
