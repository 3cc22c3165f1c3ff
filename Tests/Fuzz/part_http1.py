"""HTTP/1.1 as bytes: legal pipelines of every shape, request smuggling, and malformed bytes."""

import socket
import time

import http1
import shapes1
import values
from case import Case
from session import Part
from fleet import Finding, Fleet
from part_rpc import FIND, probe

ALLOWED = {200, 204, 400, 401, 403, 404, 405, 408, 411, 413, 415, 417, 426, 429, 431, 501, 505}
REJECTED = {400, 405, 408, 411, 413, 417, 426, 431, 501, 505}
# A silent peer gets 408 after 10 s; connections that wait for it are checked later.
LINGER_SECONDS = 20
LINGER_CONNECTIONS_MAX = 40
QUIET_SECONDS = 8


def answers(*expected):
    return [{"status": status, "id": identifier, "head": head} for status, identifier, head in expected]


class HTTP1Part(Part):
    name = "http1"

    def prepare(self):
        self.lingering = []

    def open(self):
        self.fleet = Fleet()
        self.fleet.add("vessel", ["--seed"])
        self.fleet.add("gateway", ["--services=vessel"], VESSEL_ADDRESS=self.fleet.address("vessel"))
        self.fleet.start()

    def reset(self):
        for _, client, _ in self.lingering:
            client.close()
        self.lingering = []

    def close(self):
        self.reset()
        super().close()

    def probes(self):
        def healthz():
            probe(self.fleet["gateway"].port, "GET", "/healthz")

        def find():
            probe(self.fleet["gateway"].port, "POST", "/rpc", FIND)
        return [healthz, find]

    # MARK: Inputs

    def make(self, rng):
        kind = rng.choices(["pipeline", "smuggling", "malformed", "limits", "mutated", "slow"], [30, 20, 15, 5, 28, 2])[0]
        make = getattr(shapes1, kind, None) or getattr(self, "_" + kind)
        return Case(kind, make(rng))

    def _request(self, rng, last=False):
        """A legal request, and the expected answer."""
        identifier = f"r{rng.getrandbits(48):012x}"
        method, path, status = rng.choice([
            ("GET", "/healthz", 200), ("HEAD", "/healthz", 200), ("GET", "/services", 200), ("POST", "/rpc", 200),
            ("POST", "/rpc", 200), ("POST", "/vessel/VesselService/FindAvailable", 200), ("OPTIONS", "/rpc", 204),
            ("OPTIONS", "*", 204), ("GET", "/rpc", 405), ("DELETE", "/healthz", 405), ("GET", "/nothing", 404), ("POST", "/rpc", 400)])
        body = b""
        if method == "POST":
            body = FIND if path == "/rpc" else b'{"capacity": 1, "maxWeight": 1}'
            if status == 400:
                body = rng.choice([b"", b"{", b"[]", b'{"service":"vessel"}'])
            body += b" " * rng.choice([0, 0, 0, 1, 100, 20_000])
        elif rng.random() < 0.1 and method != "HEAD":
            body = b"x" * rng.randrange(50)
        target = path
        if rng.random() < 0.1 and path != "*":
            target = rng.choice(["http://a", "HTTP://a:80", "https://a.example:8443"]) + path
        if rng.random() < 0.1 and path not in ("*", "/nothing"):
            target += rng.choice(["?", "?a=b", "?" + "q" * 500])
        fields = [(b"x-request-id", identifier.encode()), (b"host", b"a")]
        if method == "POST":
            fields.append((b"content-type", b"application/json"))
        for _ in range(rng.choice([0, 0, 1, 3, 20])):
            fields.append((rng.choice([b"accept", b"x-%d" % rng.randrange(99), b"cookie", b"x_y!#$%&'*+-.^`|~"]),
                           rng.choice([b"*/*", b"", b"\xc3\xa9\xff", b"a, b;c=\"d\"", b"y" * 300])))
        chunked = bool(body) and rng.random() < 0.4
        if chunked:
            fields.append((b"transfer-encoding", rng.choice([b"chunked", b"Chunked"])))
        elif body or rng.random() < 0.2:
            fields.append((b"content-length", b"%d" % len(body)))
        if last:
            fields.append((b"connection", rng.choice([b"close", b"Close"])))
        rng.shuffle(fields)
        lines = [f"{method} {target} HTTP/1.1".encode()]
        for name, value in fields:
            name = rng.choice([name, name, name.title(), name.upper()])
            lines.append(name + b":" + rng.choice([b" ", b"", b"  ", b"\t"]) + value + rng.choice([b"", b"", b" ", b"\t", b"\t "]))
        data = b"\r\n".join(lines) + b"\r\n\r\n" + (self._chunks(rng, body) if chunked else body)
        return data, answers((status, identifier, method == "HEAD"))

    @staticmethod
    def _chunks(rng, body):
        out = b""
        for piece in values.pieces(rng, body, 4):
            size = rng.choice([b"%x", b"%X", b"0%x"]) % len(piece)
            out += size + rng.choice([b"", b"", b";x", b";x=y", b';x="y z"']) + b"\r\n" + piece + b"\r\n"
        return out + b"0\r\n" + rng.choice([b"", b"", b"x-trailer: y\r\n", b"authorization: Bearer x\r\n"]) + b"\r\n"

    def _pipeline(self, rng):
        steps = []
        count = rng.choice([1, 1, 2, 3, 10])
        for index in range(count):
            data, expected = self._request(rng, last=index == count - 1)
            steps.append({"do": "send", "data": data, "expect": expected})
        cut = rng.random()
        if cut < 0.35:
            # In pieces, cut at any byte: the answer must not depend on the pieces.
            for step in steps:
                step["pieces"] = [len(piece) for piece in values.pieces(rng, step["data"], rng.choice([3, 12]))]
        elif cut < 0.4 and count == 1 and len(steps[0]["data"]) < 600:
            steps[0]["pieces"] = [1] * len(steps[0]["data"])
        return steps + [{"do": "all"}]

    def _mutated(self, rng):
        source = b"".join(self._request(rng)[0] for _ in range(rng.choice([1, 1, 2]))) if rng.random() < 0.7 \
            else shapes1.smuggling(rng)[0]["data"]
        data = rng.randbytes(rng.randrange(2_000)) if rng.random() < 0.05 else values.mutate(rng, source)
        return [{"do": "send", "data": data}]

    def _slow(self, rng):
        """Part of a request, then silence."""
        data = self._request(rng)[0]
        return [{"do": "send", "data": data[:rng.randrange(1, len(data))]}, {"do": "linger"}]

    # MARK: Checks

    def run(self, case):
        self._check_lingering()
        client = http1.Client(self.fleet["gateway"].port, QUIET_SECONDS)
        expected, rejects, hidden, first, stays = [], False, [], None, False
        try:
            for step in case.steps:
                if step["do"] == "send":
                    self._send(client, step)
                    expected += step.get("expect", [])
                    rejects, first = rejects or step.get("reject", False), first or step.get("first")
                    hidden += step.get("hidden", [])
                elif step["do"] == "all":
                    stays = True
                elif step["do"] == "linger":
                    self.lingering.append((time.monotonic(), client, case.steps))
                    client = None
                    return
            # The end of the bytes ends an unfinished request. A request with `close` ends the connection itself.
            if not stays:
                client.end()
            if expected:
                self._expect(client, expected)
            else:
                self._any(client, rejects, hidden, first)
        except socket.timeout:
            raise Finding("no answer", f"nothing for {QUIET_SECONDS} s, and the connection is open") from None
        finally:
            if client:
                client.close()

    @staticmethod
    def _send(client, step):
        data, at = step["data"], 0
        for size in step.get("pieces", []):
            client.send(data[at:at + size])
            at += size
            # So that it usually arrives as a piece of its own.
            time.sleep(0.0002)
        client.send(data[at:])

    def _expect(self, client, expected):
        """These answers, in this order, and then the end of the connection."""
        for index, wanted in enumerate(expected):
            try:
                response = client.response(wanted["head"])
            except http1.Closed:
                raise Finding("answers missing", f"{index} of {len(expected)} came") from None
            self.counts[response.status] += 1
            http1.check_answer(response, ALLOWED, wanted["head"])
            got = (response.status, response.header("x-request-id"))
            if got != (wanted["status"], wanted["id"]):
                raise Finding("another answer", f"{got} instead of {wanted}: {response.body[:300]!r}")
        self._ends(client)

    @staticmethod
    def _ends(client):
        try:
            response = client.response()
        except http1.Closed:
            return
        raise Finding("answers too many", f"{response.status} {response.headers} {response.body[:300]!r}")

    def _any(self, client, rejects, hidden, first):
        """Answers that are well-formed, and then the end of the connection."""
        count = 0
        while True:
            try:
                response = client.response(to_head=None)
            except http1.Closed:
                break
            count += 1
            self.counts[response.status] += 1
            http1.check_answer(response, ALLOWED)
            if response.header("x-request-id") in hidden:
                raise Finding("smuggled", f"a request that was hidden in another was answered: {response.status}")
            if rejects and (response.status not in REJECTED or count > 1):
                raise Finding(f"not rejected {rejects}", f"answer {count}: {response.status} {response.headers} {response.body[:300]!r}")
            if first and count == 1 and response.status not in first:
                raise Finding(f"status {response.status} instead of {first[0]}", f"{response.body[:300]!r}")
            if response.closes:
                self._ends(client)
                break
        if (rejects or first) and not count:
            raise Finding("no answer", "the connection was closed without one")

    def _check_lingering(self):
        """A peer that stops in the middle of a request gets 408 after a while, or its connection is closed."""
        now = time.monotonic()
        while self.lingering and (now - self.lingering[0][0] > LINGER_SECONDS or len(self.lingering) > LINGER_CONNECTIONS_MAX):
            began, client, steps = self.lingering.pop(0)
            try:
                client.socket.settimeout(max(0.1, LINGER_SECONDS - (time.monotonic() - began)))
                while True:
                    response = client.response(to_head=None)
                    http1.check_answer(response, ALLOWED)
            except http1.Closed:
                pass
            except socket.timeout:
                raise Finding("connection left open", f"after {LINGER_SECONDS} s: {steps[0]['data'][:400]!r}") from None
            finally:
                client.close()
