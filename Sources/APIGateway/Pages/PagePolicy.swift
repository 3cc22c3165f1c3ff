import HTTP

/// What browsers are told about the page's files, so that a mistake in the page stays a small one.
///
/// Only for files: the answers of calls are data, which `nosniff` keeps from being anything else.
enum PagePolicy {
    /// Nothing from elsewhere, nothing inline, no plugin, no frame around the page.
    ///
    /// `form-action` keeps a password out of the address if the scripts fail to load: the form is then not sent at all.
    /// `require-trusted-types-for` makes the browser refuse text put in as HTML, `innerHTML` and its like; with
    /// `trusted-types 'none'` no script can make an exception for itself.
    static let contentSecurity = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self'",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
        "require-trusted-types-for 'script'", "trusted-types 'none'",
    ].joined(separator: "; ")

    /// On 304 too: a browser takes a kept file's header from the newest answer (RFC 9111 section 3.2).
    static let headers: HTTPFields = [
        "content-security-policy": contentSecurity,
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "referrer-policy": "no-referrer",
    ]
}
