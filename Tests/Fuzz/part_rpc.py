"""Bodies of POST /rpc and of the methods' paths: JSON and forms, well-formed and malformed."""

import json
import socket
import urllib.parse

import http1
from case import Case
from session import LIVE_SECONDS_MAX, Part
from fleet import SECRET, Finding, Fleet
from ledger import Ledger
from messages import METHODS, Messages, Pairs, Raw, dump
import values

ALLOWED = {200, 204, 400, 401, 403, 404, 405, 408, 409, 413, 415, 429, 431}
BODY_BYTES_MAX = 1 << 20
JSON_TYPE = ["content-type", b"application/json"]
FIND = json.dumps({"service": "vessel", "method": "VesselService.FindAvailable",
                   "request": {"capacity": 1, "max_weight": 1}}).encode()


def call(path, body, headers=(), **expect):
    return {"do": "call", "path": path, "headers": [JSON_TYPE, *headers] if headers is not None else [], "body": body,
            "expect": expect}


class RPCPart(Part):
    name = "rpc"
    timeout_seconds = 30

    def prepare(self):
        self.messages = Messages(SECRET)

    def open(self):
        self.client = None
        # A busy machine is slow with a large body in a debug build; the probes notice what is slow for others.
        self.fleet = Fleet.whole(["--timeout=20"])
        self.fleet.start()
        self.ledger = Ledger(self)
        # Cost of a plain body of the largest size here; hostile ones may cost a small multiple.
        before = self.fleet.cpu_seconds()
        for body in (b'{"service":"vessel","method":"VesselService.Create","request":{"name":"%s"}}' % (b"a" * 1_000_000),
                     b'{"service":"consignment","method":"ConsignmentService.Create","request":{"containers":[%s{}]}}'
                     % (b"{}," * 300_000)):
            self.send(call("/rpc", body))
        self.cpu_seconds_per_mib = max(type(self).cpu_seconds_per_mib, 3 * (self.fleet.cpu_seconds() - before))

    def reset(self):
        if self.client:
            self.client.close()
            self.client = None

    def close(self):
        self.reset()
        super().close()

    def probes(self):
        def healthz():
            probe(self.fleet["gateway"].port, "GET", "/healthz")

        def admin():
            for program in list(self.fleet.programs.values()):
                probe(program.admin, "GET", "/healthz")

        def find():
            probe(self.fleet["gateway"].port, "POST", "/rpc", FIND)
        return [healthz, admin, find]

    # MARK: Inputs

    def make(self, rng):
        kind = rng.choices(
            ["valid", "odd", "text", "envelope", "form", "path", "headers", "large", "sequence"],
            [18, 30, 14, 8, 8, 6, 8, 2, 3])[0]
        return Case(kind, getattr(self, "_" + kind)(rng))

    def _envelope_of(self, rng, method, request, as_text=False):
        service, name = method
        pairs = Pairs([("service", rng.choice([service, f"shippy.{service}"])), ("method", name)])
        pairs.insert(rng.randrange(3), ("request", dump(rng, request) if as_text else request))
        return dump(rng, pairs).encode("utf-8", "surrogatepass")

    def _valid(self, rng):
        method = rng.choice(METHODS)
        request, headers, expect = self.messages.valid(rng, method)
        if rng.random() < 0.2:
            path = f"/{method[0]}/" + method[1].replace(".", "/")
            return [call(path, dump(rng, request).encode(), headers, **expect)]
        return [call("/rpc", self._envelope_of(rng, method, request, rng.random() < 0.2), headers, **expect)]

    def _odd(self, rng):
        """A valid request with one or a few odd things in it."""
        method = rng.choice(METHODS)
        request, headers, expect = self.messages.odd(rng, method)
        return [call("/rpc", self._envelope_of(rng, method, request, rng.random() < 0.1), headers, **expect)]

    def _text(self, rng):
        """The text of a valid or odd body, mutated in places."""
        step = (self._valid if rng.random() < 0.6 else self._odd)(rng)[0]
        return [{**step, "body": values.mutate(rng, step["body"]), "expect": {"mutated": True}}]

    def _envelope(self, rng):
        pairs = Pairs()
        for _ in range(rng.randint(0, 5)):
            name = rng.choice(["service", "method", "request", "address", "Service", "", values.hostile_text(rng, 2_000)])
            value = rng.choice([
                "vessel", "shippy.vessel", "auth", "email", "shippy.", "Shippy.vessel", "VesselService.Create", "Health.Check",
                "EmailService.Get", "VesselService.FindAvailable", {}, [], None, True, 5, "{}", "null", "", "[]", "{", " {} ",
                values.hostile_text(rng, 2_000), {"capacity": 1}])
            pairs.append((name, value))
        body = dump(rng, pairs).encode("utf-8", "surrogatepass")
        body = rng.choice([b"", b"", b"", b" ", b"\xef\xbb\xbf", b"\t\r\n "]) + body + rng.choice([b"", b"", b"\n", b"x", b"\0", b"{}"])
        return [call(rng.choice(["/rpc", "/rpc", "/rpc?x=y", "/rpc/", "//rpc", "/RPC"]), body)]

    def _form(self, rng):
        method = rng.choice(METHODS)
        request, headers, _ = (self.messages.valid if rng.random() < 0.5 else self.messages.odd)(rng, method)
        fields = [("service", method[0]), ("method", method[1]), ("request", dump(rng, request))]
        rng.shuffle(fields)
        if rng.random() < 0.3:
            fields.append((rng.choice(["service", "request", "x", values.hostile_text(rng, 1_000)]), values.hostile_text(rng, 1_000)))
        body = urllib.parse.urlencode(fields, errors="surrogatepass").encode()
        if rng.random() < 0.5:
            body = values.mutate(rng, body)
        kind = rng.choice([b"application/x-www-form-urlencoded", b"Application/X-WWW-Form-Urlencoded; charset=UTF-8"])
        return [{**call("/rpc", body, None, mutated=True), "headers": [["content-type", kind], *headers]}]

    def _path(self, rng):
        method = rng.choice(METHODS)
        parts = [method[0], *method[1].split(".")]
        for _ in range(rng.randrange(3)):
            parts[rng.randrange(3)] = rng.choice([
                "", ".", "..", "%2e%2e", "vessel%00", "VESSEL", "email", "EmailService", "Health", "Check", "a" * 5_000, "%" * 50,
                urllib.parse.quote(values.hostile_text(rng, 300).encode("utf-8", "surrogatepass"))])
        path = "/" + "/".join(parts) + rng.choice(["", "", "/", "?a=b", "?", "#x", ";v=1"])
        return [call(path, rng.choice([b"", b"{}", b"[]", b"null", b'{"capacity":1}', b"{"]))]

    def _headers(self, rng):
        method = rng.choice(METHODS)
        request, headers, _ = self.messages.valid(rng, method)
        hostile = values.hostile_text(rng, rng.choice([20, 200, 4_000])).encode("utf-8", "surrogatepass")
        if rng.random() < 0.3:
            hostile = values.marks(rng, rng.choice([1_000, 7_500, 14_000]))
        hostile = hostile.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")
        name = rng.choice([
            "authorization", "token", "traceparent", "tracestate", "x-request-id", "idempotency-key", "content-type",
            "content-encoding", "accept", "accept-encoding", "x-forwarded-for", "x-client-address", "cookie", "origin", "x-other",
            "connection", "upgrade", "te", "grpc-timeout", "range", "if-none-match", "if-match"])
        value = rng.choice([
            hostile, b"Bearer " + hostile, b"Bearer  " + values.token(SECRET, "fuzz").encode(), b"Basic Zm9vOmJhcg==",
            b"application/json; charset=utf-8", b"application/json;charset=\"utf-8\"", b"application/json, text/plain", b"text/json",
            b"gzip", b"identity", b"", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", b"00-" + hostile, b"a=b," * 200,
            b"127.0.0.1, ::1", b"k" * 255, b"k" * 256, values.bad_token(rng, SECRET).encode()])
        return [call("/rpc", self._envelope_of(rng, method, request), [*headers, [name, value]], mutated=True)]

    def _large(self, rng):
        size = rng.choice([10_000, 100_000, 300_000, 900_000])
        body = rng.choice([
            lambda: b'{"service":"vessel","method":"VesselService.Create","request":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
            lambda: b"[" * 1_000_000,
            lambda: b'{"request":' * 90_000,
            lambda: b'{"service":"consignment","method":"ConsignmentService.Create","request":{"containers":['
            + b"{}," * 300_000 + b"{}]}}",
            lambda: b'{"service":"user","method":"UserService.Create","request":{' + b'"name":"a",' * 80_000 + b'"id":""}}',
            lambda: b'{"service":"vessel","method":"VesselService.Create","request":{"' + values.marks(rng, size) + b'":1}}',
            lambda: b'{"service":"user","method":"UserService.Auth","request":{"email":"' + values.marks(rng, size) + b'"}}',
            lambda: b'{"service":"vessel","method":"VesselService.Create","request":{"name":"' + values.marks(rng, size) + b'"}}',
            lambda: b'{"service":"' + values.marks(rng, size) + b'","method":"x","request":{}}',
            lambda: b'{"service":"vessel","method":"VesselService.FindAvailable","request":{"capacity":' + b"9" * 900_000 + b"}}",
            lambda: b'{"' + b"\\u0301" * 160_000 + b'":1}',
            lambda: b" " * BODY_BYTES_MAX,
            lambda: b"x" * (BODY_BYTES_MAX + 1),
            lambda: b'{"service":"consignment","method":"ConsignmentService.Get","request":"'
            + b'{\\"page_token\\":\\"' + "\u0301\u0323".encode() * 200_000 + b'\\"}"}',
            lambda: dump(rng, Pairs([(values.text(rng), 1) for _ in range(20_000)])).encode(),
        ])()
        return [call("/rpc", body, [["authorization", b"Bearer " + values.token(SECRET, "fuzz").encode()]])]

    def _sequence(self, rng):
        """A Create with a key, its repetition, and another request with the same key."""
        method = rng.choice([each for each in METHODS if each[1].endswith(".Create")])
        request, headers, expect = self.messages.valid(rng, method)
        headers = [each for each in headers if each[0] != "idempotency-key"] + [["idempotency-key", b"%x" % rng.getrandbits(64)]]
        body = self._envelope_of(rng, method, request)
        other = self._envelope_of(rng, method, self.messages.valid(rng, method)[0])
        return [call("/rpc", body, headers, **expect), call("/rpc", body, headers, repeat=True, **expect),
                call("/rpc", other, headers, status=[409], why=" for a key of another request")]

    # MARK: Checks

    def run(self, case):
        first = None
        for step in case.steps:
            response, answer = self.send(step)
            self.counts[response.status] += 1
            expect = step["expect"]
            if response.status == 200:
                self.ledger.note(step, answer)
            wanted = expect.get("status")
            if wanted and response.status not in [*wanted, 429]:
                raise Finding(f"status {response.status} instead of {wanted[0]}{expect.get('why', '')}",
                              f"{step['body'][:600]!r}: {response.body[:600]!r}")
            for name in expect.get("names", ()) if response.status == 400 else ():
                # The caller's spelling, in either of the two forms.
                if name.replace("_", "") not in answer["detail"].replace("_", "").lower():
                    raise Finding("error without the field", f"{name}: {step['body'][:600]!r}: {response.body[:600]!r}")
            if expect.get("repeat") and first and response.status == first[0].status == 200 and answer != first[1]:
                # A repeated call gets a new token; the rest is the same.
                if {**answer, "token": 0} != {**first[1], "token": 0}:
                    raise Finding("repeat differs", f"{first[0].body[:500]!r} and {response.body[:500]!r}")
            first = first or (response, answer)

    def send(self, step):
        fields = [b"POST " + step["path"].encode() + b" HTTP/1.1", b"host: a", b"content-length: %d" % len(step["body"])]
        fields += [name.encode() + b": " + bytes(value) for name, value in step["headers"]]
        request = b"\r\n".join(fields) + b"\r\n\r\n" + step["body"]
        for attempt in (1, 2):
            is_new = self.client is None
            self.client = self.client or http1.Client(self.fleet["gateway"].port, self.timeout_seconds)
            try:
                self.client.send(request)
                response = self.client.response()
                break
            except http1.Closed:
                self.client.close()
                self.client = None
                if is_new or attempt == 2:
                    raise Finding("no answer", f"{request[:600]!r}") from None
        if response.closes:
            self.client.close()
            self.client = None
        return response, http1.check_answer(response, ALLOWED)

    def finish(self):
        self.ledger.check()
        for name in ("vessel", "user", "consignment", "email"):
            self.fleet[name].stop(kill=True)
        for name in ("vessel", "user", "consignment", "email"):
            self.fleet[name].start()
        for program in self.fleet.programs.values():
            program.wait_ready()
        self.ledger.check()


def probe(port, method, path, body=b""):
    """A well-behaved request on a connection of its own: anything but 200 is a finding."""
    client = http1.Client(port, LIVE_SECONDS_MAX)
    try:
        client.send(f"{method} {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
                    f"content-length: {len(body)}\r\n\r\n".encode() + body)
        response = client.response()
        if response.status != 200:
            raise Finding("not served", f"{method} {path}: {response.status} {response.body[:500]!r}")
        return response
    except http1.Closed:
        raise Finding("not served", f"{method} {path}: the connection was closed") from None
    except socket.timeout:
        raise Finding("not served", f"{method} {path}: no answer within {LIVE_SECONDS_MAX} s") from None
    finally:
        client.close()
