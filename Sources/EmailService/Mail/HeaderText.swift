import RPC

/// Text of any kind as a mail header may hold it (RFC 5322, RFC 2047).
///
/// Whatever comes in, what goes out is printable ASCII in lines of at most 76 characters, where every line but the first
/// begins with a space: nothing in it can begin a header of its own.
enum HeaderText {
    private static let prefix = "=?UTF-8?B?"
    private static let suffix = "?="
    /// Bytes in an encoded word: 52 characters of Base64, so that the first is beside its header's name in a line of 76.
    private static let wordBytesMax = 39
    /// Text up to here stands in one line beside its header's name.
    private static let plainLengthMax = 60

    /// Free text, such as a subject.
    static func unstructured(_ text: String) -> String {
        isPlain(text, among: { (0x20...0x7e).contains($0) }) ? text : encodedWords(text)
    }

    /// A name before an address: atoms as they are, anything else encoded.
    static func phrase(_ text: String) -> String {
        isPlain(text, among: { $0 == 0x20 || isAtomic($0) }) ? text : encodedWords(text)
    }

    /// A mailbox; the address is on a line of its own where there is a name.
    static func mailbox(_ mailbox: Mailbox) -> String {
        mailbox.name.isEmpty ? mailbox.address.text : "\(phrase(mailbox.name))\r\n <\(mailbox.address)>"
    }

    private static func isPlain(_ text: String, among isAllowed: (UInt8) -> Bool) -> Bool {
        guard text.utf8.count <= plainLengthMax, text.first != " ", text.last != " " else { return false }
        // What looks like an encoded word would be read as one.
        return text.utf8.allSatisfy(isAllowed) && !text.contains("=?")
    }

    private static func isAtomic(_ byte: UInt8) -> Bool {
        byte.isAlphanumericASCII || "!#$%&'*+-/=?^_`{|}~".utf8.contains(byte)
    }

    /// Each word holds whole characters of Unicode, as readers decode word by word.
    private static func encodedWords(_ text: String) -> String {
        var words: [String] = []
        var bytes: [UInt8] = []
        for scalar in text.unicodeScalars {
            let encoded = Array(String(scalar).utf8)
            if bytes.count + encoded.count > wordBytesMax {
                words.append(prefix + Base64.encode(bytes, isPadded: true) + suffix)
                bytes = []
            }
            bytes += encoded
        }
        if !bytes.isEmpty { words.append(prefix + Base64.encode(bytes, isPadded: true) + suffix) }
        return words.joined(separator: "\r\n ")
    }
}
