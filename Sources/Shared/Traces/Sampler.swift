/// Decides which traces are recorded, by the names of `OTEL_TRACES_SAMPLER`.
/// Source: OpenTelemetry specification, "Trace SDK", "Built-in samplers".
public struct Sampler: Sendable, Equatable {
    /// The decision about a trace that begins here.
    private enum Root: Equatable {
        case always
        case never
        /// Where the upper 63 bits of a trace id's last 8 bytes are a number below this one, of 2^63.
        case share(UInt64)
    }

    private let root: Root
    /// Whether the decision of whoever began the trace stands.
    private let followsParent: Bool

    /// What samplers are called, all of them.
    public static let names = [
        "always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off",
        "parentbased_traceidratio",
    ]

    /// Follows the caller's decision; records every trace that begins here.
    public static let standard = Sampler(root: .always, followsParent: true)

    /// Records nothing.
    public static let never = Sampler(root: .never, followsParent: false)

    private init(root: Root, followsParent: Bool) {
        self.root = root
        self.followsParent = followsParent
    }

    /// The sampler of a name; `nil` when there is none.
    ///
    /// - Parameter share: of traces, 0 to 1; only the samplers with a ratio look at it.
    public init?(_ name: String, share: Double = 1) {
        let root: Root
        switch name {
        case "always_on", "parentbased_always_on": root = .always
        case "always_off", "parentbased_always_off": root = .never
        case "traceidratio", "parentbased_traceidratio":
            guard (0...1).contains(share) else { return nil }
            root = share == 1 ? .always : .share(UInt64(share * 0x1p63))
        default: return nil
        }
        self.init(root: root, followsParent: name.hasPrefix("parentbased_"))
    }

    func decide(parent: TraceParent) -> Bool {
        followsParent ? parent.isSampled : decide(traceLow: parent.traceLow)
    }

    func decide(traceLow: UInt64) -> Bool {
        switch root {
        case .always: true
        case .never: false
        case .share(let share): traceLow >> 1 < share
        }
    }
}
