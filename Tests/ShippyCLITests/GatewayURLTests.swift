import Testing

@testable import ShippyCLI

@Suite("Addresses of gateways")
struct GatewayURLTests {
    @Test(
        "an address is written one way",
        arguments: [
            ("http://localhost:8080", "http://localhost:8080"), ("HTTP://LocalHost:8080/", "http://localhost:8080"),
            ("http://shippy.example.com", "http://shippy.example.com:80"),
            ("https://shippy.example.com", "https://shippy.example.com:443"),
            ("https://shippy.example.com:443", "https://shippy.example.com:443"),
            ("http://[::1]:8080", "http://[::1]:8080"), ("http://[2001:db8::1]", "http://[2001:db8::1]:80"),
            ("http://127.0.0.1:08080", "http://127.0.0.1:8080"),
        ])
    func canonical(given: String, text: String) {
        #expect(GatewayURL(given)?.text == text)
    }

    @Test(
        "anything else is none",
        arguments: [
            "", "localhost:8080", "ftp://localhost", "http://", "http:///", "http://a:0", "http://a:65536", "http://a:",
            "http://a:+80", "http://a:8x", "http://user:password@a", "http://a/rpc", "http://a//", "http://a?x",
            "http://a#x",
            "http://a b", "http://a\r\nx", "http://[]", "http://[::1", "http://[::1]x", "http://ä",
            "http://" + String(repeating: "a", count: 300), "file:///etc/passwd", "http://a%00b",
        ])
    func malformed(text: String) {
        #expect(GatewayURL(text) == nil)
    }

    @Test(
        "what stays on this machine is known",
        arguments: [
            ("http://localhost:1", true), ("http://127.0.0.1", true), ("http://127.1.2.3:80", true),
            ("http://[::1]", true),
            ("http://127.example.com", false), ("http://example.com", false), ("http://10.0.0.1", false),
            ("http://localhost.example.com", false),
        ])
    func loopback(text: String, isLoopback: Bool) {
        #expect(GatewayURL(text)?.isLoopback == isLoopback)
    }
}
