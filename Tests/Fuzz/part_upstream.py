"""A hostile service behind a real gateway. Callers must get proper answers in time, and the gateway must recover."""

import socket
import struct
import threading
import time

import http1
import http2
import values
from case import Case
from session import LIVE_SECONDS_MAX, Part
from fleet import Finding, Fleet
from http2 import CONTINUATION, DATA, GOAWAY, HEADERS, PADDED, PING, RST_STREAM, SETTINGS, block, frame, literal, message
from part_rpc import FIND, probe
from protos import tag, varint
from upstream import Upstream

TIMEOUT_SECONDS = 1
# Longest wait of a caller: the deadline, and some time for a busy machine.
ANSWER_SECONDS_MAX = TIMEOUT_SECONDS + 4
RECOVER_SECONDS_MAX = 8
# A status text in a header list of 16 KiB, with every byte escaped in JSON.
ERROR_BYTES_MAX = 100 * 1024
ERRORS = [429, 499, 500, 501, 503, 504]
ALLOWED = {200, 400, 401, 403, 404, 409, *ERRORS}
# gRPC's codes as HTTP (the contract's table).
HTTP_OF = {1: 499, 2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400, 12: 501, 13: 500, 14: 503,
           15: 500, 16: 401}
HEAD = block([(b":status", b"200"), (b"content-type", b"application/grpc")])
OK = block([(b"grpc-status", b"0")])
VESSEL = b"\x0a" + varint(12) + b"\x0a\x02v1\x10\x05\x18\x05\x22\x02ok"
STREAM = struct.unpack(">I", b"\x7e\x7e\x7e\x7f")[0]


def reply(kind, flags, payload=b"", stream=None):
    return {"at": "reply", "do": "frame", "kind": kind, "flags": flags, "stream": stream, "payload": payload}


def connect(kind, flags, payload=b"", stream=0):
    return {**reply(kind, flags, payload, stream), "at": "connect"}


GOOD = [reply(HEADERS, 4, HEAD), reply(DATA, 0, message(VESSEL)), reply(HEADERS, 5, OK)]


def expect(*status):
    return {"at": "expect", "do": "expect", "status": list(status)}


# Inputs after which the connection can still be used.
KEEPS = ("legal", "status", "http", "message", "reset", "text")


class UpstreamPart(Part):
    name = "upstream"
    # The gateway reports internal errors of calls.
    allow_errors = True

    def open(self):
        self.slowest_recovery = 0.0
        self.upstream = Upstream(GOOD, [GOOD[0], reply(DATA, 0, message(b"\x08\x01")), GOOD[2]])
        self.fleet = Fleet()
        self.fleet.add("gateway", ["--services=vessel", f"--timeout={TIMEOUT_SECONDS}", "--threads=1"],
                       VESSEL_ADDRESS=f"127.0.0.1:{self.upstream.port}")
        self.fleet.start()

    def close(self):
        if getattr(self, "upstream", None):
            self.upstream.close()
            self.upstream = None
        super().close()

    def probes(self):
        def healthz():
            probe(self.fleet["gateway"].port, "GET", "/healthz")

        def admin():
            probe(self.fleet["gateway"].admin, "GET", "/healthz")
        return [healthz, admin]

    # MARK: Inputs

    def make(self, rng):
        kind = rng.choices(["legal", "status", "http", "message", "reset", "goaway", "broken", "flood", "silent", "mutated", "text"],
                           [14, 12, 8, 12, 8, 8, 12, 4, 2, 20, 6])[0]
        return Case(kind, getattr(self, "_" + kind)(rng))

    def _legal(self, rng):
        """A valid answer in an unusual shape."""
        data = message(VESSEL)
        head = HEAD + b"".join(literal(b"x-%d" % index, b"y" * rng.choice([1, 100])) for index in range(rng.choice([0, 0, 5, 50])))
        steps = []
        if rng.random() < 0.2:
            steps.append(reply(HEADERS, 4, block([(b":status", b"103"), (b"link", b"x")])))
        cut = rng.randrange(len(head)) if rng.random() < 0.4 else None
        steps += [reply(HEADERS, 4, head)] if cut is None else [reply(HEADERS, 0, head[:cut]), reply(CONTINUATION, 4, head[cut:])]
        for piece in values.pieces(rng, data, rng.choice([1, 4, 12])):
            if rng.random() < 0.3:
                steps.append(reply(rng.choice([PING, 0xaa]), 0, b"12345678", 0))
            if rng.random() < 0.2:
                steps.append(reply(DATA, PADDED, b"\x05" + piece + bytes(5)))
            else:
                steps.append(reply(DATA, 0, piece))
            if rng.random() < 0.1:
                steps.append({"at": "reply", "do": "pause", "seconds": 0.02})
        trailers = OK + rng.choice([b"", block([(b"grpc-message", b"fine"), (b"x-bin", b"AAE")]), literal(b"content-type", b"text/plain")])
        steps.append(reply(HEADERS, 5, trailers))
        return [expect(200), *steps]

    def _status(self, rng):
        code = rng.choice([*range(1, 17), 17, 99, -1, "x", "", "00", "0x1", 2**31, " 5"])
        text = str(code).encode()
        fields = [(b":status", b"200"), (b"content-type", b"application/grpc"), (b"grpc-status", text.strip())]
        if rng.random() < 0.8:
            fields.append((b"grpc-message", self._status_text(rng)))
        fields += rng.choice([[], [], [(b"retry-after", rng.choice([b"5", b"-1", b"x" * 100, b"99999999999", b"1\t2"]))],
                              [(b"grpc-status-details-bin", b"!" * 50)], [(b"grpc-status", b"0")]])
        if fields[-1] == (b"grpc-status", b"0"):
            wanted = sorted(ALLOWED)
        elif isinstance(code, int) and code in HTTP_OF:
            wanted = [HTTP_OF[code]]
        else:
            wanted = ERRORS if code not in (" 5", "00") else sorted(ALLOWED)
        # A control character makes the field, and with it the answer, malformed: INTERNAL.
        if any(byte < 0x20 and byte != 0x09 or byte == 0x7f for _, value in fields for byte in value):
            wanted = sorted({*wanted, 500})
        if rng.random() < 0.5:
            return [expect(*wanted), reply(HEADERS, 5, block(fields))]
        return [expect(*wanted), reply(HEADERS, 4, HEAD), reply(DATA, 0, message(VESSEL)) if rng.random() < 0.5 else reply(PING, 0, b"12345678", 0),
                reply(HEADERS, 5, block(fields[2:]))]

    def _status_text(self, rng):
        text = values.hostile_text(rng, rng.choice([10, 200, 3_000])).encode("utf-8", "surrogatepass")
        text = rng.choice([text, b"%".join([text[:50]] * 20), b"%zz%", b"%ff%fe%c0%80", b"%", b"%0d%0aset-cookie:%20a=b", b"%00",
                           "".join(f"%{byte:02x}" for byte in text[:900]).encode(), b"<script>", b'"}, {"', b"y" * 9_000])
        return text.replace(b"\0", b"").replace(b"\r", b"").replace(b"\n", b"").strip(b" \t")[:9_000]

    def _http(self, rng):
        status = rng.choice([100, 199, 204, 301, 400, 401, 403, 404, 405, 413, 429, 500, 502, 503, 504, 599])
        fields = [(b":status", b"%d" % status), (b"content-type", rng.choice([b"text/html", b"application/json", b""]))]
        body = rng.choice([b"", b"<h1>no</h1>", b"x" * 10_000])
        wanted = [400, 401, 403, 404, *ERRORS]
        return [expect(*wanted), reply(HEADERS, 4, block(fields)), reply(DATA, 1, body)]

    def _message_steps(self, data, trailers=OK):
        parts = [data[at:at + 16_000] for at in range(0, len(data), 16_000)][:60] or [b""]
        return [reply(HEADERS, 4, HEAD), *(reply(DATA, 0, part) for part in parts), reply(HEADERS, 5, trailers)]

    def _message(self, rng):
        """The five bytes before the message, and the message, malformed in some way."""
        data, wanted = rng.choice([
            (message(VESSEL, 1), [500]), (message(VESSEL, 2), [500]), (message(VESSEL) + message(VESSEL), ERRORS), (b"", [500]),
            (message(VESSEL)[:-1], [500]), (message(VESSEL)[:3], [500]), (b"\0\xff\xff\xff\xff" + b"x" * 100, [429, 500]),
            (b"\0\0\x40\0\1", [429, 500]), (message(b"\x0a\xff"), [500]), (message(b"\x0a\x04\x0a\x02\xff\xfe"), [500]),
            (message(b"\xff" * 11), [500]), (message(tag(15, 3) * 200), [500]), (message(tag(99, 2) + varint(5) + b"extra"), [200]),
            (message(b"\x0a\x06\x22\x04" + b"\xf0\x9f\x9a\xa2"), [200]), (message(b""), [200]),
            (message(b"\x12\x00" * 200_000), [200, 429, 500]), (message(rng.randbytes(rng.randrange(40))), [200, 500]),
        ])
        return [expect(*wanted), *self._message_steps(data)]

    def _text(self, rng):
        """Vessels with costly texts. The answer is the text, escaped as JSON."""
        text = values.hostile_text(rng, rng.choice([100, 10_000, 60_000])).encode("utf-8", "replace")
        vessel = b"\x0a" + varint(len(text)) + text + b"\x22" + varint(len(text)) + text
        steps = self._message_steps(message(b"\x0a" + varint(len(vessel)) + vessel))
        return [expect(200, 429), *steps]

    def _reset(self, rng):
        code = rng.choice([0, 1, 2, 3, 5, 7, 8, 9, 10, 11, 12, 13, 14, 2**32 - 1])
        before = rng.choice([[], GOOD[:1], GOOD[:2]])
        return [expect(*ERRORS, 403), *before, reply(RST_STREAM, 0, struct.pack(">I", code))]

    def _goaway(self, rng):
        last = rng.choice([0, 0, 1, 2**31 - 1])
        away = reply(GOAWAY, 0, struct.pack(">II", last, rng.choice([0, 0, 1, 2, 11])) + rng.choice([b"", b"too_many_pings"]), 0)
        steps = rng.choice([[away], [away, *GOOD], [*GOOD, away], [GOOD[0], away, *GOOD[1:]], [away, {"at": "reply", "do": "close"}],
                            [*GOOD[:2], {"at": "reply", "do": "close"}], [{"at": "reply", "do": "close"}], [{"at": "reply", "do": "abort"}]])
        if rng.random() < 0.2:
            return [expect(*sorted(ALLOWED)), connect(SETTINGS, 0), {**away, "at": "connect"}]
        return [expect(*sorted(ALLOWED)), *steps]

    def _broken(self, rng):
        steps = rng.choice([
            lambda: [reply(DATA, 0, message(VESSEL)), *GOOD],
            lambda: [reply(HEADERS, 5, HEAD)],
            lambda: [reply(HEADERS, 4, block([(b"content-type", b"application/grpc")])), *GOOD[1:]],
            lambda: [reply(HEADERS, 4, block([(b":status", b"abc")])), *GOOD[1:]],
            lambda: [reply(HEADERS, 4, HEAD + block([(b":status", b"200")])), *GOOD[1:]],
            lambda: [reply(HEADERS, 4, HEAD + block([(b"X-Upper", b"y")])), *GOOD[1:]],
            lambda: [reply(HEADERS, 4, HEAD + block([(b"connection", b"close")])), *GOOD[1:]],
            lambda: [*GOOD[:2], reply(HEADERS, 5, OK + block([(b":status", b"200")]))],
            lambda: [*GOOD[:2], reply(HEADERS, 4, OK)],
            lambda: [*GOOD, reply(DATA, 0, b"more")],
            lambda: [reply(5, 4, struct.pack(">I", 2) + HEAD)],
            lambda: [reply(HEADERS, 4, HEAD, 2), reply(DATA, 1, b"", 2)],
            lambda: [reply(HEADERS, 4, HEAD, 2**31 - 1)],
            lambda: [reply(HEADERS, 4, b"\xff\xff\xff\xff\x0f")],
            lambda: [reply(HEADERS, 4, b"\xbe")],
            lambda: [reply(0x8, 0, b"\0\0\0\0")],
            lambda: [reply(SETTINGS, 0, b"\0\4\xff\xff\xff\xff", 0)],
            lambda: [reply(SETTINGS, 0, b"12345", 0)],
            lambda: [reply(HEADERS, 0, HEAD), reply(PING, 0, b"12345678", 0)],
            lambda: [{"at": "connect", "do": "bytes", "data": rng.choice([
                b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 100, rng.randbytes(300), b"SSH-2.0-x\r\n", b"\x15\x03\x01\0\2\2\x46"])}],
            lambda: [connect(HEADERS, 4, HEAD, 1)],
            lambda: [connect(SETTINGS, 0, struct.pack(">HI", 3, 0))],
            lambda: [connect(SETTINGS, 0, struct.pack(">HI", 4, 0)), *GOOD],
            lambda: [connect(SETTINGS, 0, struct.pack(">HI", 4, 1)), *GOOD],
            lambda: [connect(SETTINGS, 0, struct.pack(">HI", 1, rng.choice([0, 2**32 - 1]))), *GOOD],
        ])()
        return [expect(*sorted(ALLOWED)), *steps]

    def _flood(self, rng):
        many = rng.choice([
            lambda: [reply(HEADERS, 4, HEAD + block([(b"x", b"y" * 15_000)])), *GOOD[1:]],
            lambda: [reply(HEADERS, 0, HEAD), *[reply(CONTINUATION, 0, literal(b"x", b"y" * 100) * 150)] * 100],
            lambda: [reply(HEADERS, 0, literal(b"x", b"y" * 4_000, 0x40, 6)), *[reply(CONTINUATION, 0, b"\xbe" * 16_000)] * 60],
            lambda: [{"at": "reply", "do": "bytes", "data": frame(PING, 0, 0, b"12345678") * 5_000}, *GOOD],
            lambda: [{"at": "reply", "do": "bytes", "data": frame(SETTINGS) * 5_000}, *GOOD],
            lambda: [{"at": "reply", "do": "bytes", "data": frame(DATA, 0, STREAM) * 20_000}],
            lambda: [GOOD[0], {"at": "reply", "do": "bytes", "data": frame(DATA, 0, STREAM) * 20_000}, *GOOD[1:]],
            lambda: [{"at": "reply", "do": "bytes", "data": http2.window_update(0, 1) * 20_000}, *GOOD],
            lambda: [{"at": "reply", "do": "bytes", "data": frame(HEADERS, 4, STREAM, block([(b":status", b"103")])) * 2_000}, *GOOD],
            lambda: [*GOOD[:2], reply(HEADERS, 5, OK + literal(b"grpc-message", b"%41" * 5_000))],
        ])()
        return [expect(*sorted(ALLOWED)), *many]

    def _silent(self, rng):
        """No answer, or none after a while: the callers' deadline ends it."""
        silence = {"at": "reply", "do": "silence"}
        steps = rng.choice([[silence], [silence, {"at": "connect", "do": "pause", "seconds": 0.01}], [GOOD[0]], GOOD[:2],
                            [{"at": "reply", "do": "pause", "seconds": 1.5}, *GOOD]])
        return [expect(503, 504), *steps]

    def _mutated(self, rng):
        frames = [frame(each["kind"], each["flags"], STREAM if each["stream"] is None else each["stream"], each["payload"])
                  for each in self._legal(rng)[1:] if each["do"] == "frame"]
        return [expect(*sorted(ALLOWED)), {"at": "reply", "do": "bytes", "data": values.mutate(rng, b"".join(frames))}]

    # MARK: Checks

    def run(self, case):
        wanted = next((step["status"] for step in case.steps if step["do"] == "expect"), sorted(ALLOWED))
        self.upstream.problem = None
        script = [step for step in case.steps if step["do"] != "expect"]
        self.upstream.play(script, keep=not any(step["at"] == "connect" for step in script))
        results = [None] * (1 + len(case.steps) % 3)

        def caller(index):
            try:
                results[index] = self._call(wanted)
            except Exception as error:  # Passed on to the thread that waits.
                results[index] = error

        threads = [threading.Thread(target=caller, args=(index,)) for index in range(len(results))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.upstream.play(None, keep=case.what in KEEPS)
        if self.upstream.problem:
            raise Finding("malformed frame", self.upstream.problem)
        for error in results:
            if error is not None:
                raise error
        self._recover()

    def _call(self, wanted):
        began = time.monotonic()
        client = http1.Client(self.fleet["gateway"].port, ANSWER_SECONDS_MAX)
        try:
            client.send(b"POST /rpc HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(FIND) + FIND)
            response = client.response()
        except http1.Closed:
            raise Finding("no answer", "the connection was closed") from None
        except socket.timeout:
            raise Finding("no answer", f"none within {ANSWER_SECONDS_MAX} s") from None
        finally:
            client.close()
        self.counts[response.status] += 1
        answer = http1.check_answer(response, ALLOWED, error_bytes_max=ERROR_BYTES_MAX)
        if response.status not in wanted:
            raise Finding(f"status {response.status} instead of {wanted[0]}", f"{response.body[:500]!r}")
        if response.status == 500 and answer["detail"] != "internal error":
            raise Finding("inner text shown", f"{response.body[:500]!r}")
        if time.monotonic() - began > ANSWER_SECONDS_MAX:
            raise Finding("late answer", f"after {time.monotonic() - began:.1f} s")

    def _recover(self):
        """Once the service behaves again, so does the gateway, soon."""
        began = time.monotonic()
        while True:
            client = http1.Client(self.fleet["gateway"].port, ANSWER_SECONDS_MAX)
            try:
                client.send(b"POST /rpc HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(FIND) + FIND)
                response = client.response()
                if response.status == 200:
                    self.slowest_recovery = max(self.slowest_recovery, time.monotonic() - began)
                    return
            except (OSError, http1.Closed):
                self.fleet["gateway"].check_alive()
                response = None
            finally:
                client.close()
            if time.monotonic() - began > RECOVER_SECONDS_MAX:
                raise Finding("not recovered", f"{response and (response.status, response.body)} after {RECOVER_SECONDS_MAX} s")
            time.sleep(0.01)
