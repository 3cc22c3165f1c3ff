"""gRPC calls to every method of every service: messages and metadata, well-formed and malformed."""

import base64

import http2
import values
from case import Case
from session import Part
from fleet import PASSWORD, SECRET, Finding, Fleet
from http2 import GRPC, PREFACE, frame, grpc_fields, message, settings
from part_http2 import QUIET_SECONDS, check_grpc, grpc_probe
from protos import Protos, tag, varint

MESSAGE_BYTES_MAX = 4 * 1024 * 1024
SERVICES = ("vessel", "user", "consignment", "email")
METADATA = [
    "authorization", "token", "idempotency-key", "x-request-id", "x-client-address", "traceparent", "tracestate", "grpc-timeout",
    "grpc-encoding", "grpc-accept-encoding", "grpc-message-type", "grpc-previous-rpc-attempts", "grpc-trace-bin", "data-bin",
    "user-agent", "x-other", "te", "content-type", "cookie", "retry-after", "grpc-status"]


class ProtobufPart(Part):
    name = "protobuf"

    def prepare(self):
        self.protos = Protos()

    def open(self):
        self.clients = {}
        self.fleet = Fleet.whole(gateway=False)
        self.fleet.start()

    def reset(self):
        for client, _ in self.clients.values():
            client.close()
        self.clients = {}

    def close(self):
        self.reset()
        super().close()

    def probes(self):
        def find():
            grpc_probe(self.fleet["vessel"].port, "/vessel.VesselService/FindAvailable", b"\x08\x01\x10\x01")

        def health():
            for name in SERVICES:
                grpc_probe(self.fleet[name].port, "/grpc.health.v1.Health/Check", b"")
        return [find, health]

    # MARK: Inputs

    def make(self, rng):
        kind = rng.choices(["plausible", "odd", "mutated", "metadata", "prefix", "large", "created"], [15, 30, 25, 15, 6, 4, 5])[0]
        return Case(kind, [getattr(self, "_" + kind)(rng, self.protos)])

    def _call(self, rng, protos, make):
        path, (request, _) = rng.choice(sorted(protos.methods.items()))
        owner = path[1:] if path.startswith("/") else path
        service = owner.split(".")[0]
        service = service if service in SERVICES else rng.choice(SERVICES)
        metadata = []
        if rng.random() < 0.6:
            token = values.token(SECRET, f"user{rng.randrange(3)}") if rng.random() < 0.8 else values.bad_token(rng, SECRET)
            metadata.append(["authorization", b"Bearer " + token.encode("utf-8", "surrogatepass")])
        return {"do": "call", "service": service, "path": "/" + path, "metadata": metadata, "body": message(make(request))}

    def _plausible(self, rng, protos):
        return self._call(rng, protos, lambda kind: protos.encode(kind, self._value(rng, protos, kind, 0)))

    def _odd(self, rng, protos):
        return self._call(rng, protos, lambda kind: self._wire(rng, protos, kind, 0))

    def _mutated(self, rng, protos):
        return self._call(rng, protos, lambda kind: values.mutate(rng, protos.encode(kind, self._value(rng, protos, kind, 0))))

    def _value(self, rng, protos, kind, depth):
        """A message that may well be valid."""
        out = {}
        for field in protos.messages[kind]:
            if rng.random() < 0.25:
                continue
            count = rng.choice([0, 1, 2, 5]) if field.repeated else 1
            items = [self._item(rng, protos, field, depth) for _ in range(count)]
            out[field.name] = items if field.repeated else items[0]
        return out

    def _item(self, rng, protos, field, depth):
        if field.kind in protos.messages:
            return self._value(rng, protos, field.kind, depth + 1) if depth < 5 else {}
        if field.kind == "string":
            if field.name == "email":
                return f"e{rng.getrandbits(48):x}@example.com"
            if field.name == "password":
                return PASSWORD + f"{rng.getrandbits(32):x}"
            return values.text(rng) if rng.random() < 0.6 else values.hostile_text(rng, 5_000)
        return rng.choice([1, 1, 5, 1_000]) if rng.random() < 0.6 else rng.choice(values.INTEGERS)

    def _wire(self, rng, protos, kind, depth):
        """Fields in any order and number, of the wrong wire type, unknown, cut short."""
        out = b""
        fields = protos.messages[kind]
        for _ in range(rng.choice([0, 1, 3, 10, 40])):
            field = rng.choice(fields) if fields and rng.random() < 0.85 else None
            number = field.number if field else rng.choice([0, 15, 16, 100, 18_999, 19_000, 2**28, 2**29 - 1, 2**29])
            if field and rng.random() < 0.5:
                out += protos._encode_field(field, self._item(rng, protos, field, depth))
                continue
            wire = rng.randrange(8)
            data = values.hostile_text(rng, 300).encode("utf-8", "surrogatepass")
            if field and field.kind in protos.messages and depth < 4:
                data = self._wire(rng, protos, field.kind, depth + 1)
            out += tag(number, wire) + rng.choice([
                lambda: varint(len(data)) + data,
                lambda: varint(rng.choice(values.INTEGERS) & 2**64 - 1),
                lambda: varint(rng.choice([len(data) + 1, 2**31, 2**32, 2**63])) + data[:50],
                lambda: b"\xff" * rng.choice([9, 10, 11]) + b"\x01",
                lambda: b"\x80" * rng.choice([1, 9]) + b"\x00",
                lambda: rng.randbytes(rng.choice([1, 4, 8])),
                lambda: varint(4) + rng.choice([b"\xff\xfe\xfd\xfc", b"\xed\xa0\x80a", b"\xc0\x80ab"]),
            ])()
            if wire == 3 and rng.random() < 0.5:
                out += tag(number, 4)
        if rng.random() < 0.05:
            out += tag(15, 3) * rng.choice([1, 99, 101, 5_000])
        return out

    def _metadata(self, rng, protos):
        step = self._plausible(rng, protos)
        for _ in range(rng.choice([1, 1, 2, 8])):
            name = rng.choice(METADATA)
            value = rng.choice([
                lambda: values.hostile_text(rng, rng.choice([10, 300, 4_000])).encode("utf-8", "surrogatepass"),
                lambda: b"", lambda: b" ", lambda: b"Bearer ", lambda: b"bearer x", lambda: b"Bearer" + b" " * 5_000,
                lambda: values.bad_token(rng, SECRET).encode("utf-8", "surrogatepass"),
                lambda: rng.choice([b"1n", b"0S", b"99999999H", b"100000000S", b"-1S", b"1", b"S", b"1s", b"+1S", b" 1S", b"1.5S"]),
                lambda: rng.choice([b"gzip", b"identity", b"identity,gzip", b"deflate", b"x" * 200]),
                lambda: base64.b64encode(rng.randbytes(rng.randrange(300))),
                lambda: values.marks(rng, rng.choice([1_000, 8_000, 14_000])), lambda: b"!!!not base64!!!", lambda: b"k" * rng.choice([255, 256, 4_000]),
                lambda: b"127.0.0.1", lambda: b"00-" + b"f" * 32 + b"-" + b"0" * 16 + b"-01",
            ])()
            value = value.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"").strip(b" \t")
            step["metadata"].append([name, value])
        return step

    def _prefix(self, rng, protos):
        """The five bytes before a message, and the bytes after it."""
        step = self._plausible(rng, protos)
        data = step["body"][5:]
        step["body"] = rng.choice([
            b"", b"\0", b"\0\0\0\0", message(data, 1), message(data, 2), message(data, 255), message(data)[:-1] if data else b"\0",
            message(data) + b"\0", message(data) + message(data), b"\0\xff\xff\xff\xff", b"\0\x00\x40\x00\x01" + b"x" * 100,
            b"\0\0\0\0\0" * 100, b"\0" + (len(data) + 1).to_bytes(4, "big") + data])
        return step

    def _large(self, rng, protos):
        def text(field):
            data = values.marks(rng, rng.choice([2_000, 20_000, 64_000, 300_000, 900_000]))
            return tag(field, 2) + varint(len(data)) + data

        step = rng.choice([
            lambda: ("consignment", "consignment.ConsignmentService/Create", b"\x22\x00" * 1_500_000),
            lambda: ("consignment", "consignment.ConsignmentService/Create", b"\x22\x02\x0a\x00" * 200_000),
            lambda: ("user", "user.UserService/ValidateToken", b"\x1a\x00" * 1_500_000),
            lambda: ("vessel", "vessel.VesselService/Create", b"\x22\x00" * 1_000_000),
            lambda: ("vessel", "vessel.VesselService/Create", tag(100, 2) + varint(3_000_000) + b"x" * 3_000_000),
            lambda: ("user", "user.UserService/Auth", text(4)),
            lambda: ("user", "user.UserService/Get", text(1)),
            lambda: ("user", "user.UserService/ValidateToken", text(1)),
            lambda: ("email", "email.EmailService/Process", text(rng.choice([1, 2, 3, 4, 5]))),
            lambda: ("email", "email.EmailService/Get", text(1)),
            lambda: ("consignment", "consignment.ConsignmentService/Create", text(2)),
            lambda: ("vessel", "vessel.VesselService/Create", text(rng.choice([1, 4, 6]))),
            lambda: (rng.choice(SERVICES), "grpc.health.v1.Health/Check", text(1)),
            lambda: ("vessel", "vessel.VesselService/FindAvailable", b"x" * (MESSAGE_BYTES_MAX + 1)),
            lambda: ("vessel", "vessel.VesselService/FindAvailable", tag(15, 3) * 1_000_000),
        ])()
        service, path, data = step
        return {"do": "call", "service": service, "path": "/" + path, "metadata": [], "body": message(data)}

    def _created(self, rng, protos):
        """A valid Create with unknown fields, which must be neither returned nor stored."""
        unique = f"p{rng.getrandbits(64):016x}"
        data = protos.encode("vessel.Vessel", {"id": unique, "name": values.text(rng, 100) + "x", "capacity": rng.randint(1, 2**31 - 1),
                                               "max_weight": rng.randint(1, 2**31 - 1), "available": True})
        data += rng.choice([b"", tag(100, 2) + varint(9) + b"unknown-x", tag(200, 0) + b"\x05", tag(99, 3) + tag(99, 4)])
        return {"do": "call", "service": "vessel", "path": "/vessel.VesselService/Create", "metadata": [], "body": message(data),
                "created": unique}

    # MARK: Checks

    def run(self, case):
        for step in case.steps:
            client, stream = self._client(step["service"])
            fields = grpc_fields(step["path"], [(name.encode(), bytes(value)) for name, value in step["metadata"]])
            data = frame(http2.HEADERS, 4, stream, http2.block(fields)) if len(http2.block(fields)) < 16_000 else self._long(stream, fields)
            body = step["body"]
            cuts = [body[at:at + 16_000] for at in range(0, len(body), 16_000)] or [b""]
            for index, piece in enumerate(cuts):
                data += frame(http2.DATA, 1 if index == len(cuts) - 1 else 0, stream, piece)
            sent = self._send(client, stream, data)
            done = lambda: stream in client.streams and (client.streams[stream].ended or client.streams[stream].reset is not None)
            if not client.read(lambda: done() or client.goaway is not None) and not client.closed:
                raise Finding("no answer", f"{step['path']}: nothing for {QUIET_SECONDS} s (sent: {sent})")
            if client.closed or client.goaway is not None:
                self.reset()
                self.counts["closed"] += 1
                continue
            found = client.streams[stream]
            if found.reset and not found.ended:
                self.counts[f"reset {found.reset}"] += 1
                continue
            self._check(step, check_grpc(self, found))

    def _client(self, service):
        """A connection and the number of its next stream."""
        client, stream = self.clients.get(service, (None, -1))
        if client is None or client.closed:
            client, stream = http2.Client(self.fleet[service].port, QUIET_SECONDS), -1
            client.send(PREFACE + settings((4, 2**24)) + http2.window_update(0, 2**30))
            client.read(lambda: client.saw_settings)
        self.clients[service] = (client, stream + 2)
        client.streams.clear()
        return client, stream + 2

    @staticmethod
    def _long(stream, fields):
        data = http2.block(fields)
        out = frame(http2.HEADERS, 0, stream, data[:16_000])
        rest = [data[at:at + 16_000] for at in range(16_000, len(data), 16_000)]
        return out + b"".join(frame(http2.CONTINUATION, 4 if piece is rest[-1] else 0, stream, piece) for piece in rest)

    @staticmethod
    def _send(client, stream, data):
        """Sends frames within the server's windows, until it has answered. Returns the number of DATA bytes sent."""
        sent, at, kept = 0, 0, client.allowed
        answered = lambda: stream in client.streams or client.goaway is not None
        while at < len(data) and not answered():
            size = 9 + int.from_bytes(data[at:at + 3], "big")
            cost = size - 9 if data[at + 3] == http2.DATA else 0
            fits = lambda: cost <= min(kept[0], kept.get(stream, http2.WINDOW))
            if not fits() and not client.read(lambda: fits() or answered()):
                break
            if not fits():
                break
            kept[0] -= cost
            kept[stream] = kept.get(stream, http2.WINDOW) - cost
            if not client.send(data[at:at + size]):
                break
            at += size
            sent += cost
        return sent

    def _check(self, step, answer):
        if answer is None or answer.code != 0:
            if step.get("created") and answer is not None and answer.code != 8:
                raise Finding(f"status {answer.code} instead of 0", answer.message)
            return
        kind = self.protos.methods[step["path"][1:]][1]
        try:
            decoded = self.protos.decode(kind, answer.body[5:])
        except ValueError as error:
            raise Finding("malformed answer", f"{error}: {answer.body[:300]!r}") from None
        if step.get("created"):
            vessel = decoded.get("vessel", {})
            unknown = [key for key in [*decoded, *vessel] if not isinstance(key, str)]
            if vessel.get("id") != step["created"] or unknown:
                raise Finding("unknown fields answered", f"{decoded}")

    def finish(self):
        """All pages can be read to the end, whatever was stored."""
        token = values.token(SECRET, "user0").encode()
        for path, kind in (("consignment.ConsignmentService/Get", "consignment.GetRequest"), ("user.UserService/GetAll", "user.Request")):
            page = ""
            while True:
                client, stream = self._client(path.split(".")[0])
                body = message(self.protos.encode(kind, {"page_size": 1000, "page_token": page}))
                fields = grpc_fields("/" + path, [(b"authorization", b"Bearer " + token)])
                client.send(frame(http2.HEADERS, 4, stream, http2.block(fields)) + frame(http2.DATA, 1, stream, body))
                if not client.read(lambda: stream in client.streams and client.streams[stream].ended):
                    raise Finding("no answer", path)
                answer = GRPC(client.streams[stream])
                if answer.code == 7:
                    break
                if answer.code != 0:
                    raise Finding("page impossible", f"{path} {page}: {answer.code} {answer.message}")
                page = self.protos.decode(self.protos.methods[path][1], answer.body[5:]).get("next_page_token", "")
                if not page:
                    break
