"""Calls a test server with grpcio. Prints one JSON object per line: what each call came to.

usage: grpc_client.py TARGET CA SCENARIO [ARGUMENT]   (CA: a file, or - for plaintext)
"""

import json
import os
import sys
import threading
import time

import grpc

from messages import fields, sized, vessel

target, ca, scenario = sys.argv[1:4]
argument = sys.argv[4] if len(sys.argv) > 4 else ""
options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
if ca == "-":
    channel = grpc.insecure_channel(target, options)
else:
    with open(ca, "rb") as file:
        channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(file.read()), options)


def method(name, service="test.Test"):
    return channel.unary_unary(f"/{service}/{name}")


def say(**what):
    print(json.dumps(what, default=bytes.hex), flush=True)


def outcome(name, request=b"", **more):
    """Makes a call and says what it came to."""
    service = more.pop("service", "test.Test")
    more.setdefault("timeout", 20)
    try:
        answer, call = method(name, service).with_call(request, **more)
        say(code=call.code().name, bytes=len(answer), **(fields(answer) if len(answer) < 1000 else {}))
    except grpc.RpcError as error:
        say(code=error.code().name, message=error.details(), trailers=dict(error.trailing_metadata() or ()))


def errors():
    for code in range(1, 17):
        outcome("Fail", vessel(capacity=code, name=f"Grüße 100 % 船 \n{code}"))


def details():
    """Reads the details of a failure as grpcio-status does."""
    from google.rpc import error_details_pb2
    from grpc_status import rpc_status

    for code, identifier in (3, "details"), (8, "none"), (5, "none"):
        try:
            method("Fail").with_call(vessel(id=identifier, capacity=code, name="text"), timeout=20)
        except grpc.RpcError as error:
            status = rpc_status.from_call(error)
            read = []
            for detail in status.details if status else ():
                for kind in error_details_pb2.BadRequest, error_details_pb2.ErrorInfo, error_details_pb2.RetryInfo:
                    message = kind()
                    if detail.Unpack(message):
                        read.append(" ".join(str(message).split()))
            say(code=error.code().name, message=status.message if status else "none", trailers={"details": "; ".join(read)})


def metadata():
    outcome("Context", vessel(id="x-test"), metadata=(("x-test", "abc"), ("x-test", "def")))
    outcome("Context", vessel(id="x-absent"), timeout=None)
    outcome("Context", vessel(id="data-bin"), metadata=(("data-bin", b"\x00\xff\x01"),))


def deadlines():
    outcome("Context", vessel(id="x"), timeout=5)
    began = time.monotonic()
    outcome("Wait", vessel(capacity=60_000), timeout=0.2)
    say(seconds=time.monotonic() - began)


def cancel():
    call = method("Wait").future(vessel(capacity=60_000))
    # The test makes the file once the call has arrived.
    while not os.path.exists(argument):
        time.sleep(0.01)
    call.cancel()
    say(cancelled=call.cancelled())
    # The connection stays, so that only the RST_STREAM can have told the server.
    outcome("Echo", vessel(name="after"))


def unknown():
    outcome("Nothing")
    outcome("Echo", service="no.Such")


def compression():
    outcome("Echo", vessel(name="x" * 2000), compression=grpc.Compression.Gzip)
    outcome("Echo", vessel(name="plain"))


def sizes():
    limit = 4 * 1024 * 1024
    outcome("Echo", sized(limit))
    outcome("Echo", sized(limit + 1))
    outcome("Echo", b"")
    outcome("Large", vessel(capacity=limit - 5))
    outcome("Large", vessel(capacity=limit))
    outcome("Echo", b"\x0a\xff")


def concurrent():
    calls = [method("Wait").future(vessel(capacity=50, name=str(n)), timeout=30) for n in range(500)]
    say(good=sum(fields(call.result())["name"] == str(n) for n, call in enumerate(calls)))


def streaming():
    try:
        call = channel.stream_unary("/test.Test/Echo")(iter([vessel(name="a"), vessel(name="b")]), timeout=20)
        say(code="OK", **fields(call))
    except grpc.RpcError as error:
        say(code=error.code().name, message=error.details())
    try:
        channel.stream_unary("/test.Test/Echo")(iter([]), timeout=20)
    except grpc.RpcError as error:
        say(code=error.code().name, message=error.details())


def drain():
    """Calls without pause until told to stop; says how many failed, and which way the channel went."""
    states = []
    channel.subscribe(lambda state: states.append(state.name), try_to_connect=True)
    outcome("Echo", vessel(name="first"))
    pending = method("Wait").future(vessel(capacity=1_500, name="pending"), timeout=20)
    say(started=True)
    deadline = time.monotonic() + 20
    while "IDLE" not in states and "TRANSIENT_FAILURE" not in states and time.monotonic() < deadline:
        time.sleep(0.01)
    say(pending=pending.result() is not None, states=states)


def echo():
    outcome("Echo", vessel(name="hello", capacity=-7))


globals()[scenario]()
channel.close()
