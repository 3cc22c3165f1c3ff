import Testing

@testable import RPC

@Suite("Putting a message together")
struct MessageReaderTests {
    private func framed(_ body: [UInt8]) -> [UInt8] {
        FramedMessage(body).framed
    }

    private func read(_ pieces: [[UInt8]], bytesMax: Int = 100) throws(MessageReader.Failure) -> MessageReader {
        var reader = MessageReader()
        for piece in pieces {
            let failure = piece.withUnsafeBytes { bytes -> MessageReader.Failure? in
                do throws(MessageReader.Failure) {
                    try reader.append(bytes, bytesMax: bytesMax)
                    return nil
                } catch {
                    return error
                }
            }
            if let failure { throw failure }
        }
        return reader
    }

    @Test("it does not matter where a message is cut")
    func everySplit() throws {
        let body: [UInt8] = [10, 20, 30, 40, 50, 60]
        let bytes = framed(body)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                let pieces = [Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...])]
                var reader = try read(pieces)
                #expect(reader.isComplete)
                let message = reader.take()
                #expect(message == body)
            }
        }
        var reader = try read(bytes.map { [$0] })
        #expect(reader.isComplete)
        let message = reader.take()
        #expect(message == body)
    }

    @Test("an empty message is complete with its prefix")
    func empty() throws {
        var reader = try read([[0, 0, 0], [0, 0]])
        #expect(reader.isComplete)
        let message = reader.take()
        #expect(message.isEmpty)
    }

    @Test("a cut message is neither complete nor empty")
    func cut() throws {
        #expect(MessageReader().isEmpty)
        for count in 1..<framed([1, 2]).count {
            let reader = try read([Array(framed([1, 2])[..<count])])
            #expect(!reader.isComplete)
            #expect(!reader.isEmpty)
        }
    }

    @Test("a second message is refused, in the same piece or the next")
    func second() {
        #expect(throws: MessageReader.Failure.moreThanOne) { try read([framed([1]) + framed([2])]) }
        #expect(throws: MessageReader.Failure.moreThanOne) { try read([framed([1]), [0]]) }
        #expect(throws: MessageReader.Failure.moreThanOne) { try read([framed([]), [0]]) }
    }

    @Test("the limit is the last length that is taken, however the prefix comes")
    func limit() throws {
        var reader = try read([framed([1, 2, 3])], bytesMax: 3)
        let message = reader.take()
        #expect(message == [1, 2, 3])
        #expect(throws: MessageReader.Failure.tooLarge(bytes: 4)) { try read([framed([1, 2, 3, 4])], bytesMax: 3) }
        #expect(throws: MessageReader.Failure.tooLarge(bytes: 4)) {
            try read(framed([1, 2, 3, 4]).map { [$0] }, bytesMax: 3)
        }
        #expect(throws: MessageReader.Failure.tooLarge(bytes: 0xffff_ffff)) { try read([[0, 255, 255, 255, 255]]) }
    }

    @Test("flags other than plain are refused")
    func flags() {
        #expect(throws: MessageReader.Failure.compressed) { try read([[1, 0, 0, 0, 0]]) }
        for flag: UInt8 in [2, 3, 128, 255] {
            #expect(throws: MessageReader.Failure.malformedPrefix) { try read([[flag, 0, 0, 0, 0]]) }
        }
    }

    @Test("a length that is only announced takes no memory")
    func announced() throws {
        let reader = try read([[0, 0, 0x40, 0, 0, 1]], bytesMax: 4 * 1024 * 1024)
        #expect(reader.message == [1])
        #expect(reader.message.capacity <= 64 * 1024)
    }

    @Test("the prefix holds the length, big endian")
    func prefix() {
        #expect(FramedMessage(repeating: 7, count: 0x0102).framed.prefix(6) == [0, 0, 0, 1, 2, 7])
        #expect(FramedMessage([]).framed == [0, 0, 0, 0, 0])
        var message = FramedMessage(repeating: 0, count: 2)
        message.withUnsafeMutableBytes { $0[1] = 9 }
        #expect(message.framed == [0, 0, 0, 0, 2, 0, 9])
        let plain = message.withUnsafeBytes { Array($0) }
        #expect(plain == [0, 9])
    }
}
