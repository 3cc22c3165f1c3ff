import Testing

/// Tests that keep both processors busy take turns.
@Suite("Under load", .serialized)
enum LoadTests {}
