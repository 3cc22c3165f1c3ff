"""A collector of traces for tests: takes OTLP over gRPC and writes each span as a line of JSON.

The mode file holds one word, read anew at each call: "hang" keeps the answer back until it says otherwise, "refuse"
answers UNAVAILABLE, "reject" takes nothing and says so in partial_success, "late" takes all and says so 300 ms later.
"""

import argparse
import json
import os
import time
from concurrent import futures

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1 import trace_pb2

arguments = argparse.ArgumentParser()
arguments.add_argument("--port", type=int, required=True)
arguments.add_argument("--folder", required=True)
arguments.add_argument("--tls", action="store_true", help="with server.pem and server.key of the folder")
options = arguments.parse_args()


def mode():
    try:
        with open(os.path.join(options.folder, "mode")) as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


def value(any_value):
    kind = any_value.WhichOneof("value")
    if kind == "array_value":
        return json.dumps([value(item) for item in any_value.array_value.values])
    if kind == "bool_value":
        return "true" if any_value.bool_value else "false"
    return "" if kind is None else str(getattr(any_value, kind))


def attributes(pairs):
    return {pair.key: value(pair.value) for pair in pairs}


def described(span, resource):
    return {
        "service": resource.get("service.name", ""),
        "resource": resource,
        "trace": span.trace_id.hex(),
        "span": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "state": span.trace_state,
        "name": span.name,
        "kind": trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        "start": span.start_time_unix_nano,
        "end": span.end_time_unix_nano,
        "attributes": attributes(span.attributes),
        "events": [event.name for event in span.events],
        "links": [{"trace": link.trace_id.hex(), "span": link.span_id.hex()} for link in span.links],
        "is_error": span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        "flags": span.flags,
    }


class Receiver(trace_service_pb2_grpc.TraceServiceServicer):
    def Export(self, request, context):
        while mode() == "hang":
            if not context.is_active():
                return trace_service_pb2.ExportTraceServiceResponse()
            time.sleep(0.02)
        if mode() == "refuse":
            context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        spans = []
        for group in request.resource_spans:
            resource = attributes(group.resource.attributes)
            for scope in group.scope_spans:
                spans += [described(span, resource) for span in scope.spans]
        answer = trace_service_pb2.ExportTraceServiceResponse()
        if mode() == "reject":
            answer.partial_success.rejected_spans = len(spans)
            answer.partial_success.error_message = "not wanted"
            return answer
        metadata = dict(context.invocation_metadata())
        lines = "".join(json.dumps(span | {"headers": metadata}) + "\n" for span in spans)
        # One write, so that readers see whole batches.
        with open(os.path.join(options.folder, "spans"), "a") as file:
            file.write(lines)
        if mode() == "late":
            time.sleep(0.3)
        return answer


server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Receiver(), server)
address = f"127.0.0.1:{options.port}"
if options.tls:
    key, certificate = (open(os.path.join(options.folder, f"server.{kind}"), "rb").read() for kind in ("key", "pem"))
    bound = server.add_secure_port(address, grpc.ssl_server_credentials([(key, certificate)]))
else:
    bound = server.add_insecure_port(address)
if bound != options.port:
    raise SystemExit("the port is taken")
server.start()
print("listening", flush=True)
server.wait_for_termination()
