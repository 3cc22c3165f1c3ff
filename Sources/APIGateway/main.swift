// Placeholder until the flags are read here: see `Gateway` and `GatewayConfiguration`.
