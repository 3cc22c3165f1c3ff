"""A collector of traces, metrics and logs for tests: takes OTLP over gRPC and writes each span, metric and line of a log
as a line of JSON into the files "spans", "metrics" and "logs".

The mode file holds one word, read anew at each call: "hang" keeps the answer back until it says otherwise, "refuse"
answers UNAVAILABLE, "reject" takes nothing and says so in partial_success, "late" takes all and says so 300 ms later.
"""

import argparse
import json
import os
import time
from concurrent import futures

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.metrics.v1 import metrics_pb2
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
    if kind == "kvlist_value":
        return json.dumps(attributes(any_value.kvlist_value.values))
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


def described_metric(metric, resource):
    kind = metric.WhichOneof("data")
    data = getattr(metric, kind)
    cumulative = metrics_pb2.AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    points = []
    for point in data.data_points:
        item = {
            "attributes": attributes(point.attributes),
            "start": point.start_time_unix_nano,
            "time": point.time_unix_nano,
        }
        if kind == "histogram":
            item |= {
                "count": point.count,
                "value": str(point.sum),
                "buckets": list(point.bucket_counts),
                "bounds": list(point.explicit_bounds),
            }
        else:
            # Empty where no value was set.
            item["value"] = str(getattr(point, point.WhichOneof("value") or "", ""))
        points.append(item)
    return {
        "service": resource.get("service.name", ""),
        "resource": resource,
        "name": metric.name,
        "description": metric.description,
        "kind": kind,
        "is_monotonic": kind == "sum" and data.is_monotonic,
        "is_cumulative": kind != "gauge" and data.aggregation_temporality == cumulative,
        "points": points,
    }


def described_log(record, scope, resource):
    return {
        "service": resource.get("service.name", ""),
        "resource": resource,
        "logger": scope.name,
        "time": record.time_unix_nano,
        "severity": record.severity_number,
        "level": record.severity_text,
        "message": value(record.body),
        "attributes": attributes(record.attributes),
        "trace": record.trace_id.hex(),
        "span": record.span_id.hex(),
        "flags": record.flags,
    }


def export(file, answer, rejected, items, count, context):
    """Writes the items, unless the mode says otherwise."""
    while mode() == "hang":
        if not context.is_active():
            return answer
        time.sleep(0.02)
    if mode() == "refuse":
        context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
    if mode() == "reject":
        setattr(answer.partial_success, rejected, count)
        answer.partial_success.error_message = "not wanted"
        return answer
    metadata = dict(context.invocation_metadata())
    lines = "".join(json.dumps(item | {"headers": metadata}) + "\n" for item in items)
    # One write, so that readers see whole batches.
    with open(os.path.join(options.folder, file), "a") as output:
        output.write(lines)
    if mode() == "late":
        time.sleep(0.3)
    return answer


class Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def Export(self, request, context):
        spans = []
        for group in request.resource_spans:
            resource = attributes(group.resource.attributes)
            for scope in group.scope_spans:
                spans += [described(span, resource) for span in scope.spans]
        answer = trace_service_pb2.ExportTraceServiceResponse()
        return export("spans", answer, "rejected_spans", spans, len(spans), context)


class Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def Export(self, request, context):
        metrics = []
        for group in request.resource_metrics:
            resource = attributes(group.resource.attributes)
            for scope in group.scope_metrics:
                metrics += [described_metric(metric, resource) for metric in scope.metrics]
        answer = metrics_service_pb2.ExportMetricsServiceResponse()
        count = sum(len(metric["points"]) for metric in metrics)
        return export("metrics", answer, "rejected_data_points", metrics, count, context)


class Logs(logs_service_pb2_grpc.LogsServiceServicer):
    def Export(self, request, context):
        records = []
        for group in request.resource_logs:
            resource = attributes(group.resource.attributes)
            for scope in group.scope_logs:
                records += [described_log(record, scope.scope, resource) for record in scope.log_records]
        answer = logs_service_pb2.ExportLogsServiceResponse()
        return export("logs", answer, "rejected_log_records", records, len(records), context)


server = grpc.server(futures.ThreadPoolExecutor(max_workers=32))
trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Traces(), server)
metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(Metrics(), server)
logs_service_pb2_grpc.add_LogsServiceServicer_to_server(Logs(), server)
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
