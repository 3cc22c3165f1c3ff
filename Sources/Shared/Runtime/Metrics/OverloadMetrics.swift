import RPC

extension ServiceRuntime {
    /// What is refused under load: `rpc_server_refusals_total` by method and reason, and `rpc_server_concurrency_limit`
    /// by method; the same with `rpc_client` for calls that are refused instead of being passed on.
    package func watch(_ admission: AdmissionControl, _ side: RPCMetrics.Side) {
        for (index, method) in admission.methods.enumerated() {
            let name = method.hasPrefix("/") ? String(method.dropFirst()) : method
            metrics.gauge(
                "rpc_\(side)_concurrency_limit", "Calls that may be in flight before more are refused.",
                labels: [("rpc_method", name)]
            ) { Double(admission.limit(index)) }
            for reason in RefusalReason.allCases {
                metrics.counter(
                    "rpc_\(side)_refusals_total", "Calls refused before anything was done for them.",
                    labels: [("rpc_method", name), ("reason", reason.name)]
                ) { Double(admission.refusals(index, reason)) }
            }
        }
    }
}
