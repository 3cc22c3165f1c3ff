import NIOCore
import Testing

@testable import LoadGenerator

@Suite("Reading answers")
struct ResponseReaderTests {
    private let refusal =
        "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nRETRY-AFTER: 1\r\nContent-Length: 12\r\n\r\n{\"code\":429}"

    @Test("an answer is read however it is cut, and the next one after it")
    func cuts() throws {
        let text = refusal + "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        for length in 1...text.utf8.count {
            var reader = ResponseReader()
            var answers: [Response] = []
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                var bytes = ByteBuffer(bytes: rest.prefix(length))
                rest = rest.dropFirst(length)
                while bytes.readableBytes > 0, let answer = try reader.read(&bytes) { answers.append(answer) }
            }
            #expect(answers == [Response(status: 429, hasRetryAfter: true), Response(status: 200, closes: true)])
        }
    }

    @Test("a body is kept where it is asked for")
    func body() throws {
        var reader = ResponseReader()
        reader.keepsBody = true
        var first = ByteBuffer(string: String(refusal.dropLast(5)))
        var second = ByteBuffer(string: String(refusal.suffix(5)))
        #expect(try reader.read(&first) == nil)
        #expect(try reader.read(&second)?.body == "{\"code\":429}")
    }

    @Test(
        "what is no answer with a length is refused",
        arguments: [
            "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "\r\n\r\n",
        ])
    func unreadable(text: String) {
        var reader = ResponseReader()
        var bytes = ByteBuffer(string: text)
        #expect(throws: ResponseReader.Unreadable.self) { try reader.read(&bytes) }
    }

    @Test("a head without end is refused at some size")
    func endless() throws {
        var reader = ResponseReader()
        var isRefused = false
        for _ in 0..<100 where !isRefused {
            var bytes = ByteBuffer(repeating: 65, count: 1_024)
            do throws(ResponseReader.Unreadable) {
                _ = try reader.read(&bytes)
            } catch {
                isRefused = true
            }
        }
        #expect(isRefused)
    }
}
