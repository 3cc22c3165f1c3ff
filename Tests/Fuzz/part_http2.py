"""HTTP/2 against the gateway and against a gRPC service: streams in every legal shape, protocol errors, floods, mutations."""

import http1
import http2
import shapes2
import values
from case import Case
from session import LIVE_SECONDS_MAX, Part
from fleet import SECRET, Finding, Fleet
from http2 import GRPC, PREFACE, frame, grpc_fields, message, settings
from part_http1 import ALLOWED
from part_rpc import FIND, probe

QUIET_SECONDS = 8
# Time for an input without an expected answer.
SETTLE_SECONDS = 0.4
GRPC_MESSAGE_BYTES_MAX = 8 * 1024
# gRPC codes for valid input. INTERNAL only for malformed messages, as in other servers.
GRPC_ALLOWED = {0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 16}
GRPC_INTERNAL = ("not a valid", "cut short", "malformed", "compress", "encoding")


class HTTP2Part(Part):
    """Base of both parts. The input is sent on a connection of its own, after a preface and SETTINGS."""

    # Floods are expensive in a debug build.
    cpu_seconds_max = 2.0

    def make(self, rng):
        kind = rng.choices(["streams", "malformed", "broken", "flood", "trailers", "windows", "mutated"],
                           [30, 14, 14, 3, 6, 6, 27])[0]
        return Case(kind, getattr(self, "_" + kind)(rng))

    def _streams(self, rng):
        requests, expected, count = [], {}, rng.choice([1, 1, 2, 5, 20])
        for stream in range(1, 2 * count, 2):
            fields, body, wanted = self.request(rng)
            trailers = [(b"x-trailer", b"y")] if rng.random() < 0.1 else None
            requests.append(shapes2.request_frames(rng, stream, fields, body, trailers))
            expected[str(stream)] = wanted
        frames = shapes2.interleave(rng, requests)
        sizes = [len(piece) for piece in values.pieces(rng, b"".join(frames), 8)] if rng.random() < 0.3 else []
        return [{"do": "send", "data": b"".join(frames), "pieces": sizes, "streams": expected}]

    def _malformed(self, rng):
        fields, body, _ = self.request(rng)
        bad = shapes2.malformed_fields(rng, fields)
        frames = [frame(http2.HEADERS, 4, 1, http2.block(bad)), frame(http2.DATA, 1, 1, body[:2_000])]
        good, good_body, wanted = self.request(rng)
        frames += shapes2.request_frames(rng, 3, good, good_body)
        return [{"do": "send", "data": b"".join(frames), "refused": 1, "follows": {"3": wanted}}]

    def _broken(self, rng):
        fields, _, _ = self.request(rng)
        return [{"do": "send", "data": shapes2.connection_errors(rng, fields), "ends": True}]

    def _flood(self, rng):
        fields, _, _ = self.request(rng)
        return [{"do": "send", "data": shapes2.floods(rng, fields, b"/services"), "flood": True}]

    def _windows(self, rng):
        """A reader with small windows: the server keeps to them, and once they are widened the answer arrives whole."""
        fields, body, wanted = self.request(rng)
        size = rng.choice([0, 1, 10, 100])
        frames = settings((4, size)) + b"".join(shapes2.request_frames(rng, 1, fields, body))
        return [{"do": "send", "data": frames, "window": size, "streams": {"1": wanted}}]

    def _mutated(self, rng):
        requests = []
        for stream in range(1, 2 * rng.choice([1, 1, 2, 3]), 2):
            fields, body, _ = self.request(rng)
            if rng.random() < 0.2:
                fields = shapes2.malformed_fields(rng, fields)
            requests.append(shapes2.request_frames(rng, stream, fields, body))
        return [{"do": "send", "data": shapes2.mutated_frames(rng, shapes2.interleave(rng, requests))}]

    # MARK: Checks

    def run(self, case):
        for step in case.steps:
            client = http2.Client(self.port, QUIET_SECONDS, watch_windows="window" in step)
            client.initial_window = step.get("window", client.initial_window)
            try:
                self._run(client, step)
                for stream in client.streams.values():
                    if stream.ended:
                        self.check_stream(stream)
            finally:
                client.close()

    def _run(self, client, step):
        # Wide windows, unless the input is about windows.
        client.send(PREFACE + (settings() if "window" in step else settings((4, 2**20)) + http2.window_update(0, 2**26)))
        data, at = step["data"], 0
        for size in step.get("pieces", []):
            client.send(data[at:at + size])
            at += size
        client.send(data[at:])
        if "streams" in step:
            self._expect(client, step["streams"], step.get("window"))
        elif "refused" in step:
            client.send(frame(http2.PING, 0, 0, b"finished"))
            ended = lambda: client.goaway is not None or all(
                number in client.streams and (client.streams[number].ended or client.streams[number].reset is not None)
                for number in (1, 3))
            client.read(ended)
            stream = client.streams.get(1)
            if stream and stream.status is not None and not 400 <= stream.status <= 501 and not self.is_refusal(stream):
                raise Finding("malformed request taken", f"{stream.status} {stream.headers} {stream.trailers}")
            if client.goaway is None:
                self._expect(client, step["follows"], None)
        elif "ends" in step:
            client.send(frame(http2.PING, 0, 0, b"finished"))
            if not client.read(lambda: client.goaway is not None) and not client.closed:
                raise Finding("protocol error taken", f"no GOAWAY and no end within {QUIET_SECONDS} s")
        else:
            client.send(frame(http2.PING, 0, 0, b"finished"))
            client.read(lambda: b"finished" in client.pongs or client.goaway is not None, QUIET_SECONDS if "flood" in step else SETTLE_SECONDS)

    def _expect(self, client, expected, window):
        if window is not None:
            self._widen(client, expected)
        numbers = [int(number) for number in expected]
        done = lambda: all(number in client.streams and client.streams[number].ended for number in numbers)
        if not client.read(done):
            missing = [number for number in numbers if number not in client.streams or not client.streams[number].ended]
            resets = {number: client.streams[number].reset for number in missing if number in client.streams}
            raise Finding("answers missing", f"streams {missing} (reset: {resets}), GOAWAY {client.goaway}, closed {client.closed}")
        for number, wanted in expected.items():
            self.compare(client.streams[int(number)], wanted)

    @staticmethod
    def _widen(client, expected):
        """Opens the window in growing steps."""
        numbers = [int(number) for number in expected]
        client.read(lambda: all(number in client.streams and client.streams[number].headers for number in numbers))
        by = 7
        while any(not client.streams[number].ended for number in numbers if number in client.streams) and by < 10**6:
            for number in numbers:
                before = len(client.streams[number].body) if number in client.streams else 0
                if number in client.streams and client.streams[number].ended:
                    continue
                client.widen(number, by)
                client.read(lambda: number in client.streams and (
                    client.streams[number].ended or len(client.streams[number].body) >= before + by), 1)
            by *= 3


class HTTP2GatewayPart(HTTP2Part):
    name = "http2-gateway"

    def open(self):
        self.fleet = Fleet.whole()
        self.fleet.start()
        self.port = self.fleet["gateway"].port

    def probes(self):
        def healthz():
            probe(self.port, "GET", "/healthz")

        def find():
            probe(self.port, "POST", "/rpc", FIND)
        return [healthz, find]

    def request(self, rng):
        identifier = f"h{rng.getrandbits(48):012x}"
        method, path, status = rng.choice([
            ("GET", "/healthz", 200), ("HEAD", "/healthz", 200), ("GET", "/services", 200), ("POST", "/rpc", 200),
            ("POST", "/rpc", 200), ("POST", "/vessel/VesselService/FindAvailable", 200), ("OPTIONS", "/rpc", 204),
            ("DELETE", "/healthz", 405), ("GET", "/nothing", 404), ("POST", "/rpc", 400)])
        body = b""
        if method == "POST":
            body = (FIND if path == "/rpc" else b'{"capacity": 1}') if status == 200 else rng.choice([b"{", b"[]", b"x"])
            body += b" " * rng.choice([0, 0, 1, 100, 40_000])
        fields = [(b":method", method.encode()), (b":scheme", b"http"), (b":path", path.encode()), (b":authority", b"a")]
        rng.shuffle(fields)
        extra = [(b"x-request-id", identifier.encode())]
        if method == "POST":
            extra.append((b"content-type", b"application/json"))
        if rng.random() < 0.2:
            extra.append((b"content-length", b"%d" % len(body)))
        extra += [(b"cookie", b"a=%d" % index) for index in range(rng.choice([0, 0, 0, 3, 120]))]
        extra += [(rng.choice([b"accept", b"x-a", b"te"]), b"trailers") for _ in range(rng.choice([0, 0, 1]))]
        rng.shuffle(extra)
        return fields + extra, body, {"status": status, "id": identifier}

    def _trailers(self, rng):
        """Fields after the body do not count as headers, whatever they are called (RFC 9110 section 6.5.1)."""
        token = values.token(SECRET, "fuzz").encode()
        fields = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/rpc"), (b":authority", b"a"),
                  (b"content-type", b"application/json"), (b"x-request-id", b"t1")]
        body = b'{"service":"consignment","method":"ConsignmentService.Get","request":{}}'
        trailers = [rng.choice([(b"authorization", b"Bearer " + token), (b"token", token)]),
                    (rng.choice([b"content-type", b"idempotency-key", b"x-forwarded-for", b"x-request-id", b"traceparent"]), b"text/plain")]
        rng.shuffle(trailers)
        frames = shapes2.request_frames(rng, 1, fields, body, trailers[:rng.randint(1, 2)])
        return [{"do": "send", "data": b"".join(frames), "streams": {"1": {"status": 401, "id": "t1"}}}]

    def compare(self, stream, wanted):
        got = (stream.status, dict(stream.headers).get("x-request-id") if wanted["id"] else None)
        if got != (wanted["status"], wanted["id"]):
            raise Finding(f"status {got[0]} instead of {wanted['status']}", f"{got} {stream.body[:300]!r}")

    @staticmethod
    def is_refusal(stream):
        return False

    def check_stream(self, stream):
        self.counts[stream.status] += 1
        http1.check_answer(http1.Response(stream.status, stream.headers, stream.body, None), ALLOWED)


class HTTP2ServicePart(HTTP2Part):
    name = "http2-service"
    PATH = "/vessel.VesselService/FindAvailable"

    def open(self):
        self.fleet = Fleet()
        self.fleet.add("vessel", ["--seed"])
        self.fleet.start()
        self.port = self.fleet["vessel"].port

    def probes(self):
        def find():
            grpc_probe(self.port, self.PATH, b"\x08\x01\x10\x01")

        def check():
            grpc_probe(self.port, "/grpc.health.v1.Health/Check", b"")
        return [find, check]

    def request(self, rng):
        path, code, data = rng.choice([
            (self.PATH, 0, b"\x08\x01\x10\x01"), (self.PATH, 5, b"\x08\xff\xff\xff\xff\x07\x10\x01"), (self.PATH, 0, b""),
            (self.PATH, 3, b"\x08" + b"\xff" * 9 + b"\x01"), ("/vessel.VesselService/Nothing", 12, b""), ("/x", 12, b"x"),
            ("/grpc.health.v1.Health/Check", 0, b""), ("/grpc.health.v1.Health/Check", 5, b"\x0a\x01x"),
            ("/vessel.VesselService/Create", 3, b"\x22\x01a" * rng.choice([1, 5_000]))])
        extra = rng.choice([[], [], [(b"grpc-timeout", b"8S")], [(b"x-a", b"b")] * 20, [(b"data-bin", b"AAE=")],
                            [(b"grpc-accept-encoding", b"gzip,identity"), (b"user-agent", b"fuzz")]])
        return grpc_fields(path, extra), message(data), {"code": code}

    def _trailers(self, rng):
        fields, body, wanted = self.request(rng)
        frames = shapes2.request_frames(rng, 1, fields, body, [(b"grpc-timeout", b"1n"), (b"content-type", b"text/plain"), (b"te", b"x")][:rng.randint(1, 2)])
        return [{"do": "send", "data": b"".join(frames), "streams": {"1": wanted}}]

    def compare(self, stream, wanted):
        answer = GRPC(stream)
        if answer.code != wanted["code"]:
            raise Finding(f"status {answer.code} instead of {wanted['code']}", f"{stream.headers} {stream.trailers}")

    @staticmethod
    def is_refusal(stream):
        return GRPC(stream).code not in (None, 0)

    def check_stream(self, stream):
        check_grpc(self, stream)


def check_grpc(part, stream):
    """Rules for every answer of a gRPC server."""
    http1.check_secrets(stream.body + repr((stream.headers, stream.trailers)).encode())
    if stream.status != 200:
        part.counts[f"HTTP {stream.status}"] += 1
        if stream.status not in (400, 405, 415, 431):
            raise Finding(f"status HTTP {stream.status}", f"{stream.headers}")
        return None
    answer = GRPC(stream)
    part.counts[answer.code] += 1
    if answer.code is None or not answer.content_type.startswith("application/grpc"):
        raise Finding("malformed answer", f"{stream.headers} {stream.trailers}")
    if len(answer.message) > GRPC_MESSAGE_BYTES_MAX:
        raise Finding("long error text", f"{len(answer.message)} bytes: {answer.message[:200]}")
    if answer.code not in GRPC_ALLOWED and not (answer.code == 13 and any(word in answer.message for word in GRPC_INTERNAL)):
        raise Finding(f"status {answer.code}", f"{answer.message[:500]}")
    if answer.code == 0 and (len(answer.body) < 5 or answer.body[0] != 0 or int.from_bytes(answer.body[1:5], "big") != len(answer.body) - 5):
        raise Finding("malformed answer", f"OK, and a body of {answer.body[:100]!r}")
    return answer


def grpc_probe(port, path, data):
    """A well-behaved call on a connection of its own: anything but OK is a finding."""
    client = http2.Client(port, LIVE_SECONDS_MAX)
    try:
        client.send(PREFACE + settings() + frame(http2.HEADERS, 4, 1, http2.block(grpc_fields(path)))
                    + frame(http2.DATA, 1, 1, message(data)))
        if not client.read(lambda: 1 in client.streams and client.streams[1].ended):
            raise Finding("not served", f"{path}: no answer within {LIVE_SECONDS_MAX} s")
        answer = GRPC(client.streams[1])
        if answer.code != 0:
            raise Finding("not served", f"{path}: {answer.code} {answer.message}")
    finally:
        client.close()
