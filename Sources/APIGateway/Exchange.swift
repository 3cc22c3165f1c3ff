import HTTP
import NIOCore
import Traces

/// One request on its way through the gateway, and what is known of it so far.
///
/// A class: each of the async functions that a request passes through holds a reference, where copies of a request would make
/// its frame thousands of bytes. It belongs to the request's task.
final class Exchange {
    let request: HTTPRequest
    let began: NIODeadline
    /// Whether it may become a call. Others are not traced and carry no client address: probes and pages would hide the
    /// rest.
    let mayBecomeCall: Bool
    /// What is forwarded to a service.
    var forwarded: ForwardedHeaders
    /// `nil` when the request is not recorded.
    var span: TraceSpan?
    /// `nil` for paths that lead nowhere.
    var path: GatewayPath?
    /// The method that is called, once that is known.
    var entry: RouteTable.Entry?

    init(_ request: HTTPRequest, ids: RequestIDs, clients: ClientAddresses) {
        self.request = request
        forwarded = ForwardedHeaders(request.headers, ids: ids)
        began = .now()
        mayBecomeCall = request.method == .POST || GatewayPath(exactly: request.path) == .login
        if mayBecomeCall { forwarded.add(clientAddress: clients.text(of: request)) }
    }
}
