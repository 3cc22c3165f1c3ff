import Testing

@testable import EmailService

@Suite("The text of mails", .timeLimit(.minutes(10)))
struct MailTextTests {
    @Test(
        "addresses are taken",
        arguments: [
            "ewan@example.com", "a@b", "first.last+tag@sub.example.co.uk", "o'hara@example.com", "x_y-z@1.example",
            "jörg@exämple.de", "\(String(repeating: "a", count: 64))@example.com",
        ])
    func goodAddress(text: String) {
        #expect(MailAddress(text)?.text == text)
    }

    @Test(
        "what is no address, or could end a line or a command, is not taken",
        arguments: [
            "", "ewan", "@example.com", "ewan@", "a@b@c", "a..b@example.com", ".a@example.com", "a.@example.com",
            "a b@example.com", "<a@example.com>", "a>@example.com", "a@example.com>", "a@example.com\r\nRCPT TO:<b@c>",
            "a\n@example.com", "a@exa\u{0}mple.com", "a@example.com\r\nBcc: b@c", "\"a b\"@example.com",
            "a@[127.0.0.1]",
            "a@-example.com", "a@example-.com", "a@exam_ple.com", "a@example..com", "a,b@example.com", "a@b;c",
            "a\u{2028}@example.com", "a\u{200b}@example.com", "\(String(repeating: "a", count: 65))@example.com",
            "a@\(String(repeating: "b", count: 64)).com",
            "a@" + Array(repeating: String(repeating: "b", count: 60), count: 5).joined(separator: "."),
        ])
    func badAddress(text: String) {
        #expect(MailAddress(text) == nil)
    }

    @Test("a sender is a name and an address, or an address")
    func mailboxes() {
        #expect(Mailbox("Shippy <a@b.c>")?.name == "Shippy")
        #expect(Mailbox("\"Shippy, Ltd\" <a@b.c>")?.name == "Shippy, Ltd")
        #expect(Mailbox("a@b.c")?.name == "")
        #expect(Mailbox("<a@b.c>")?.address.text == "a@b.c")
        for bad in ["", "Shippy", "Shippy <>", "Shippy <a@b.c", "Ship\r\npy <a@b.c>", "Shippy <a@b.c> x"] {
            #expect(Mailbox(bad) == nil, "\(bad)")
        }
    }

    @Test("plain text stays as it is in a header, all else is encoded in short words")
    func headers() {
        #expect(HeaderText.unstructured("Welcome to Shippy, Ewan") == "Welcome to Shippy, Ewan")
        #expect(HeaderText.unstructured("Größe") == "=?UTF-8?B?R3LDtsOfZQ==?=")
        #expect(HeaderText.unstructured("a\r\nBcc: b@c").hasPrefix("=?UTF-8?B?"))
        #expect(HeaderText.unstructured("=?UTF-8?Q?x?=").hasPrefix("=?UTF-8?B?"))
        #expect(HeaderText.phrase("Shippy, Ltd").hasPrefix("=?UTF-8?B?"))
        #expect(HeaderText.phrase("Shippy Ltd") == "Shippy Ltd")
        let long = HeaderText.unstructured(String(repeating: "ö𝄞", count: 300))
        #expect(long.split(separator: "\r\n").allSatisfy { $0.utf8.count <= 76 })
        #expect(long.split(separator: "\r\n").dropFirst().allSatisfy { $0.hasPrefix(" =?") })
    }

    @Test("quoted-printable lines are short, in ASCII, without spaces at their ends or dots at their beginnings")
    func quotedPrintable() {
        #expect(QuotedPrintable.encode("a=b \nö\n.") == "a=3Db=20\r\n=C3=B6\r\n=2E")
        for text in [
            String(repeating: ".", count: 1_000), String(repeating: "ö", count: 500),
            String(repeating: " ", count: 500),
            "\n.\n..\n", String(repeating: "abc. ", count: 99),
        ] {
            for line in QuotedPrintable.encode(text).split(separator: "\r\n", omittingEmptySubsequences: false) {
                #expect(line.utf8.count <= 76)
                #expect(line.utf8.allSatisfy { (0x20...0x7e).contains($0) })
                #expect(!line.hasSuffix(" ") && !line.hasPrefix("."))
            }
        }
    }

    @Test("event ids of any kind give a Message-ID that is safe and their own")
    func messageIDs() {
        #expect(MailMessage.messageID("0f3-A_z") == "0f3-A_z")
        let odd = ["a b", "a>b", "a\r\nb", "ö", "", "a.b", String(repeating: "a", count: 65)]
        let ids = odd.map(MailMessage.messageID)
        #expect(ids.allSatisfy { $0.hasPrefix("sha256-") && $0.utf8.count == 71 })
        #expect(Set(ids).count == odd.count)
    }

    @Test("the same event gives the same bytes")
    func deterministic() throws {
        let (first, second) = (try message().bytes, try message().bytes)
        #expect(first == second)
        let text = String(decoding: first, as: UTF8.self)
        #expect(text.hasPrefix("Date: Sat, 31 Jan 2026 09:05:00 +0000\r\nFrom: Shippy\r\n <no-reply@shippy.local>\r\n"))
        #expect(text.contains("\r\nMessage-ID: <event-1@shippy.local>\r\n"))
    }
}
