"""A grpcio server with the tests' methods.

usage: grpc_server.py [PORT] [OPTION=NUMBER ...]

Says `port N`, then a line for what handlers see. Lines on standard input are not read; SIGTERM stops it gracefully.
"""

import signal
import sys
import threading
import time
from concurrent import futures

import grpc

from messages import fields, sized, vessel

port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
options = [tuple(word.split("=")) for word in sys.argv[2:]]
options = [(name, int(value)) for name, value in options]
options += [("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)]
lock = threading.Lock()


def say(*words):
    with lock:
        print(*words, flush=True)


def echo(request, context):
    return request


def fail(request, context):
    asked = fields(request)
    context.set_trailing_metadata((("retry-after", "7"),))
    code = next(code for code in grpc.StatusCode if code.value[0] == asked["capacity"])
    context.abort(code, asked["name"])


def wait(request, context):
    context.add_callback(lambda: say("ended"))
    say("waits")
    time.sleep(fields(request).get("capacity", 0) / 1000)
    return request


def describe(request, context):
    left = context.time_remaining()
    asked = fields(request).get("id", "")
    found = dict(context.invocation_metadata()).get(asked, "(absent)")
    return vessel(capacity=-1 if left is None or left > 1e9 else int(left * 1000), name=found)


def large(request, context):
    return sized(fields(request)["capacity"])




methods = {
    "Echo": echo, "IdempotentEcho": echo, "Fail": fail, "Wait": wait, "IdempotentWait": wait, "Context": describe,
    "Large": large,
}
server = grpc.server(futures.ThreadPoolExecutor(32), options=options)
server.add_generic_rpc_handlers([
    grpc.method_handlers_generic_handler(
        "test.Test", {name: grpc.unary_unary_rpc_method_handler(body) for name, body in methods.items()}),
])
port = server.add_insecure_port(f"127.0.0.1:{port}")
server.start()
stopping = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopping.set())
say("port", port)
stopping.wait()
server.stop(20).wait()
say("stopped")
