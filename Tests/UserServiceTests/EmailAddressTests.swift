import Testing

@testable import UserService

@Suite("Email addresses")
struct EmailAddressTests {
    @Test(
        "what mail servers take is an address",
        arguments: [
            "a@b.cd", "ewan.valentine89@gmail.com", "ada+tag@sub.example.co.uk", "o'neil_x@example.com", "a@localhost",
            "x@xn--bcher-kva.example", "1@1.2", "root@LOCALHOST",
        ])
    func good(text: String) {
        #expect(EmailAddress.isValid(text))
    }

    @Test(
        "what could break a header, a command or a mailbox is none",
        arguments: [
            "", "@", "a", "a@", "@b.cd", "a@b", "a@@b.cd", "a@b@c.de", "a b@c.de", "a@b c.de", " a@b.cd", "a@b.cd ",
            "a@b.cd\r\nBcc: x@y.z", "a\n@b.cd", "<a@b.cd>", "a@b.cd>", "\"a\"@b.cd", "a,b@c.de", "a;b@c.de",
            "a(x)@b.cd",
            ".a@b.cd", "a.@b.cd", "a..b@c.de", "a@.b.cd", "a@b.cd.", "a@b..cd", "a@-b.cd", "a@b-.cd", "a@[127.0.0.1]",
            "ä@b.cd", "a@bücher.example", "a\0@b.cd", "a@b.c\0d", "a\u{7f}@b.cd", "a\u{202e}@b.cd", "a:b@c.de",
            "a\\@b.cd",
        ])
    func bad(text: String) {
        #expect(!EmailAddress.isValid(text))
    }

    @Test("lengths are bounded: 64 for the local part, 63 for a label, 254 in all")
    func lengths() {
        func text(_ count: Int) -> String { String(repeating: "x", count: count) }
        #expect(EmailAddress.isValid(text(64) + "@b.cd"))
        #expect(!EmailAddress.isValid(text(65) + "@b.cd"))
        #expect(EmailAddress.isValid("a@" + text(63) + ".de"))
        #expect(!EmailAddress.isValid("a@" + text(64) + ".de"))
        let longest = text(64) + "@" + text(63) + "." + text(63) + "." + text(61)
        #expect(longest.utf8.count == 254 && EmailAddress.isValid(longest))
        #expect(!EmailAddress.isValid(longest + "x"))
    }
}
