/// An address that may stand in an SMTP command and in a header as it is: nothing in it can end either.
///
/// It is `local@domain` without quoting, comments or literals. Letters beyond ASCII are taken; whether a server does is
/// for it to say (SMTPUTF8, RFC 6531).
struct MailAddress: Sendable, Equatable, CustomStringConvertible {
    /// Octets, by RFC 5321, 4.5.3.1: a path of 256 less its two brackets.
    static let lengthMax = 254
    static let localLengthMax = 64
    static let labelLengthMax = 63
    /// Printable ASCII that an atom may not hold (RFC 5322, 3.2.3).
    private static let specials = Set("()<>[]:;@\\,\" ".unicodeScalars)

    let text: String
    let domain: String

    var description: String { text }

    /// - Returns: `nil` when `text` is no such address.
    init?(_ text: String) {
        guard text.utf8.count <= Self.lengthMax else { return nil }
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].utf8.count <= Self.localLengthMax else { return nil }
        let (locals, labels) = (parts[0].splitAtDots, parts[1].splitAtDots)
        guard locals.allSatisfy({ !$0.isEmpty && $0.unicodeScalars.allSatisfy(Self.isAtomic) }) else { return nil }
        guard labels.allSatisfy(Self.isLabel) else { return nil }
        self.text = text
        domain = String(parts[1])
    }

    private static func isLabel(_ label: Substring) -> Bool {
        guard !label.isEmpty, label.utf8.count <= labelLengthMax, label.first != "-", label.last != "-" else {
            return false
        }
        return label.unicodeScalars.allSatisfy { scalar in
            guard scalar.isASCII else { return isAtomic(scalar) }
            return scalar == "-" || scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
        }
    }

    private static func isAtomic(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .unassigned, .privateUse, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            false
        default: !specials.contains(scalar)
        }
    }
}

extension Substring {
    fileprivate var splitAtDots: [Substring] { split(separator: ".", omittingEmptySubsequences: false) }
}

/// Who a mail is from: an address, and the name that people see.
struct Mailbox: Sendable, Equatable {
    /// Characters of a name.
    static let nameLengthMax = 100

    var name: String
    var address: MailAddress

    init(name: String, address: MailAddress) {
        self.name = name
        self.address = address
    }

    /// Reads `Name <address>` or `address`.
    ///
    /// - Returns: `nil` when `text` is neither.
    init?(_ text: String) {
        guard text.hasSuffix(">"), let bracket = text.lastIndex(of: "<") else {
            guard let address = MailAddress(text) else { return nil }
            self.init(name: "", address: address)
            return
        }
        var name = text[..<bracket]
        while name.last == " " { name.removeLast() }
        while name.first == " " { name.removeFirst() }
        if name.count >= 2, name.first == "\"", name.last == "\"" { name = name.dropFirst().dropLast() }
        guard name.count <= Self.nameLengthMax, !name.hasControls,
            let address = MailAddress(String(text[text.index(after: bracket)...].dropLast()))
        else { return nil }
        self.init(name: String(name), address: address)
    }
}

extension StringProtocol {
    /// Whether there are characters that end lines or steer terminals.
    var hasControls: Bool {
        unicodeScalars.contains {
            switch $0.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: true
            default: false
            }
        }
    }
}
