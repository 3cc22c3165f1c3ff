import Foundation
import Testing

/// One term for one thing, and that the field's: words of our own that were replaced do not come back.
@Suite("House rules for words")
struct WordRules {
    /// Words and phrases, and what to write instead. A word counts as it is spelled here, a phrase in any case.
    private static let replaced: [(words: String, instead: String)] = [
        // HTTP and RPC.
        ("EndpointState", "SubchannelState"),
        ("HTTPRefusal", "HTTPRejection"),
        ("Objection", "Rejection"),
        ("PassedHeaders", "ForwardedHeaders"),
        ("RefusalPause", "RejectionDelay"),
        ("RefusalPauses", "RejectionDelays"),
        ("RequestNote", "Exchange"),
        ("enterTrace", "propagateTrace"),
        ("goOn", "resume"),
        ("hopeless", "unreachable"),
        ("isForeseen", "isExpected"),
        ("lookAgain", "resolveSoon"),
        ("makeWay", "installProtocolHandlers"),
        ("mayRepeat", "mayRetry"),
        ("mayStart", "hasCapacity"),
        ("noteBegin", "callBegan"),
        ("noteEnd", "callEnded"),
        ("noteRefusal", "callRejected"),
        ("noteRepeat", "setPreviousAttempts"),
        ("noteRetry", "recordRetry"),
        ("objection", "rejection"),
        ("passage", "waitUntilOpen"),
        ("that there are not go by", "unknown methods"),
        // Overload and memory.
        ("isPressed", "isUnderPressure"),
        ("refuseLate", "shedLate"),
        ("refusedCalls", "shedCalls"),
        ("resizeAnyway", "resizeUnchecked"),
        ("startAnyway", "startUnchecked"),
        ("takeAnyway", "takeUnchecked"),
        // Stores and queues.
        ("GrowingTime", "MonotonicTimestamps"),
        ("Keeper", "Supervisor"),
        ("StoreRefusal", "permanentFailure"),
        ("buried", "dead-lettered"),
        ("bury", "deadLetter"),
        ("giveBack", "release"),
        ("handBack", "release"),
        ("homeless", "overflow"),
        ("isRefusal", "isPermanentFailure"),
        ("keeper", "supervisor"),
        ("lastWords", "serverFailure"),
        ("moveBack", "rescheduleFuture"),
        ("noteFailure", "recordFailure or logFailure"),
        ("noteLoss", "recordLoss"),
        ("putAside", "discarded"),
        ("putBack", "requeue"),
        ("setBack", "reschedule"),
        ("will not have us", "can't be used, denies access"),
        // Log-ins and tokens.
        ("Guardian", "Throttle or Watchdog"),
        ("KnownTokens", "VerifiedTokenCache"),
        ("LoginGuard", "LoginThrottle"),
        ("TokenMemory", "VerifiedCallerCache"),
        ("guardian", "throttle or watchdog"),
        // Alerts and documents.
        ("Bell", "WakeupSignal"),
        ("comes to nothing", "fails"),
        ("has its say", "decides, varies"),
        ("may vouch", "verify"),
        ("nobody is asked", "unauthenticated"),
        ("says no", "fails with, rejects"),
        ("set aside", "dead-lettered"),
        ("whom the mails", "From address"),
    ]

    private struct Rule {
        let words: [String]
        let instead: String

        init(_ words: String, instead: String) {
            self.words = words.split(separator: " ").map(String.init)
            self.instead = instead
        }

        /// Whether the rule's words stand at the beginning of a text.
        func matches(_ text: ArraySlice<Substring>) -> Bool {
            guard text.count >= words.count else { return false }
            let isPhrase = words.count > 1
            return zip(text, words).allSatisfy { isPhrase ? $0.lowercased() == $1 : $0 == $1 }
        }
    }

    /// By their first word in lower case.
    private static let rules: [String: [Rule]] = Dictionary(
        grouping: replaced.map { Rule($0.words, instead: $0.instead) }
    ) { $0.words[0].lowercased() }

    /// Letters, digits and underscores, as identifiers have them.
    private static func words(of line: Substring) -> [Substring] {
        line.utf8.split { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): false
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...: false
            default: true
            }
        }.map { Substring($0) }
    }

    /// A line's words that were replaced, each with what to write instead.
    private static func findings(in line: Substring) -> [String] {
        let words = Self.words(of: line)
        var findings: [String] = []
        for index in words.indices {
            for rule in rules[words[index].lowercased()] ?? [] where rule.matches(words[index...]) {
                findings.append("'\(rule.words.joined(separator: " "))': write \(rule.instead)")
            }
        }
        return findings
    }

    @Test("no source, test or document uses a word that was replaced")
    func replacedWords() throws {
        let ownPath = "Tests/TidyTests/WordRules.swift"
        for file in try Repository.swiftFiles(under: ["Sources", "Tests"])
        where !file.isGenerated && file.path != ownPath {
            for (index, line) in file.lines.enumerated() {
                for finding in Self.findings(in: line) { Issue.record("\(file.path):\(index + 1): \(finding)") }
            }
        }
        let pages = try FileManager.default.contentsOfDirectory(atPath: Repository.root + "/docs")
            .filter { $0.hasSuffix(".md") }.map { "docs/\($0)" }
        #expect(!pages.isEmpty)
        for path in ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"] + pages.sorted() {
            let lines = try Repository.text(path).split(separator: "\n", omittingEmptySubsequences: false)
            for (index, line) in lines.enumerated() {
                for finding in Self.findings(in: line) { Issue.record("\(path):\(index + 1): \(finding)") }
            }
        }
    }

    @Test("the rule finds the words that it is for")
    func finds() {
        let lines = [
            "private func makeWay(_ context: ChannelHandlerContext) {", "let headers = PassedHeaders(request.headers)",
            "stream.objection = nil", "throw lastWords()", "static var keeper: Int { 2 }",
            "/// The machine Has its say.", "case queued(wake: Bool, keeper: Bool)",
        ]
        for line in lines { #expect(Self.findings(in: line[...]).count == 1, "\(line)") }
        #expect(Self.findings(in: "bury, keeper").count == 2)
        let others = [
            "private func installProtocolHandlers() {", "let timekeeper = 1", "counter(\"outbox_buried_total\")",
            "func buries() {", "it has a say", "// has its", "",
        ]
        for line in others { #expect(Self.findings(in: line[...]).isEmpty, "\(line)") }
    }
}
